//! Sampling parameters: as wished by a request, and as resolved against the model's defaults.

use crate::error::EngineError;
use sha2::{Digest, Sha256};

/// What a request says about sampling. Absent values come from the model's `generation_config.json`.
#[derive(Debug, Clone, Copy, PartialEq, Default)]
pub struct SamplingWish {
    /// 0 takes the likeliest token always.
    pub temperature: Option<f32>,
    /// Only the likeliest tokens that together have this probability.
    pub top_p: Option<f32>,
    /// Only so many of the likeliest tokens; 0 for all.
    pub top_k: Option<u32>,
    /// Only tokens with at least this part of the likeliest token's probability.
    pub min_p: Option<f32>,
    /// Subtracted from a logit for each time that the answer has the token.
    pub frequency_penalty: Option<f32>,
    /// Subtracted once from the logit of each token that the answer has.
    pub presence_penalty: Option<f32>,
    /// Divides the positive and multiplies the negative logits of all tokens in prompt and answer.
    pub repetition_penalty: Option<f32>,
}

/// Sampling parameters with nothing left open.
#[derive(Debug, Clone, Copy, PartialEq)]
#[non_exhaustive]
pub struct Sampling {
    /// 0 takes the likeliest token always.
    pub temperature: f32,
    /// 1 for all tokens.
    pub top_p: f32,
    /// 0 for all tokens.
    pub top_k: u32,
    /// 0 for all tokens.
    pub min_p: f32,
    /// 0 for none.
    pub frequency_penalty: f32,
    /// 0 for none.
    pub presence_penalty: f32,
    /// 1 for none.
    pub repetition_penalty: f32,
}

impl Default for Sampling {
    fn default() -> Self {
        Self {
            temperature: 1.0,
            top_p: 1.0,
            top_k: 0,
            min_p: 0.0,
            frequency_penalty: 0.0,
            presence_penalty: 0.0,
            repetition_penalty: 1.0,
        }
    }
}

impl SamplingWish {
    /// Fills the gaps from `defaults` and refuses what is out of range.
    pub fn resolve(&self, defaults: &Sampling) -> Result<Sampling, EngineError> {
        let sampling = Sampling {
            temperature: self.temperature.unwrap_or(defaults.temperature),
            top_p: self.top_p.unwrap_or(defaults.top_p),
            top_k: self.top_k.unwrap_or(defaults.top_k),
            min_p: self.min_p.unwrap_or(defaults.min_p),
            frequency_penalty: self.frequency_penalty.unwrap_or(defaults.frequency_penalty),
            presence_penalty: self.presence_penalty.unwrap_or(defaults.presence_penalty),
            repetition_penalty: self.repetition_penalty.unwrap_or(defaults.repetition_penalty),
        };
        let rules = [
            (
                "temperature",
                (0.0..=2.0).contains(&sampling.temperature),
                "between 0 and 2",
            ),
            (
                "top_p",
                sampling.top_p > 0.0 && sampling.top_p <= 1.0,
                "above 0 and at most 1",
            ),
            ("min_p", (0.0..=1.0).contains(&sampling.min_p), "between 0 and 1"),
            (
                "frequency_penalty",
                (-2.0..=2.0).contains(&sampling.frequency_penalty),
                "between -2 and 2",
            ),
            (
                "presence_penalty",
                (-2.0..=2.0).contains(&sampling.presence_penalty),
                "between -2 and 2",
            ),
            (
                "repetition_penalty",
                sampling.repetition_penalty > 0.0 && sampling.repetition_penalty <= 2.0,
                "above 0 and at most 2",
            ),
        ];
        match rules.into_iter().find(|(_, holds, _)| !holds) {
            Some((name, _, allowed)) => Err(EngineError::Parameter { name, allowed }),
            None => Ok(sampling),
        }
    }
}

impl Sampling {
    /// SHA-256 over the parameters, for receipts: a fixed tag, then each number as its little-endian bits in the order
    /// of the fields.
    pub fn hash(&self) -> [u8; 32] {
        let mut hasher = Sha256::new();
        hasher.update(b"cocoon-sampling-1");
        hasher.update(self.temperature.to_bits().to_le_bytes());
        hasher.update(self.top_p.to_bits().to_le_bytes());
        hasher.update(self.top_k.to_le_bytes());
        hasher.update(self.min_p.to_bits().to_le_bytes());
        hasher.update(self.frequency_penalty.to_bits().to_le_bytes());
        hasher.update(self.presence_penalty.to_bits().to_le_bytes());
        hasher.update(self.repetition_penalty.to_bits().to_le_bytes());
        hasher.finalize().into()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_number_out_of_range_is_refused_by_name() {
        let defaults = Sampling::default();
        for (name, wish) in [
            (
                "temperature",
                SamplingWish {
                    temperature: Some(-0.1),
                    ..Default::default()
                },
            ),
            (
                "temperature",
                SamplingWish {
                    temperature: Some(f32::NAN),
                    ..Default::default()
                },
            ),
            (
                "top_p",
                SamplingWish {
                    top_p: Some(0.0),
                    ..Default::default()
                },
            ),
            (
                "min_p",
                SamplingWish {
                    min_p: Some(1.5),
                    ..Default::default()
                },
            ),
            (
                "frequency_penalty",
                SamplingWish {
                    frequency_penalty: Some(2.5),
                    ..Default::default()
                },
            ),
            (
                "presence_penalty",
                SamplingWish {
                    presence_penalty: Some(-3.0),
                    ..Default::default()
                },
            ),
            (
                "repetition_penalty",
                SamplingWish {
                    repetition_penalty: Some(0.0),
                    ..Default::default()
                },
            ),
        ] {
            match wish.resolve(&defaults) {
                Err(EngineError::Parameter { name: found, .. }) => assert_eq!(found, name),
                other => panic!("{name}: {other:?}"),
            }
        }
        assert_eq!(SamplingWish::default().resolve(&defaults).unwrap(), defaults);
    }

    #[test]
    fn every_parameter_is_in_the_hash() {
        let base = Sampling::default();
        let others = [
            Sampling {
                temperature: 0.5,
                ..base
            },
            Sampling { top_p: 0.5, ..base },
            Sampling { top_k: 5, ..base },
            Sampling { min_p: 0.5, ..base },
            Sampling {
                frequency_penalty: 0.5,
                ..base
            },
            Sampling {
                presence_penalty: 0.5,
                ..base
            },
            Sampling {
                repetition_penalty: 0.5,
                ..base
            },
        ];
        for (index, other) in others.iter().enumerate() {
            assert_ne!(other.hash(), base.hash(), "field {index}");
        }
    }
}
