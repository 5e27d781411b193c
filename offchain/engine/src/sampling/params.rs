//! Sampling parameters: as wished by a request, and as resolved against the model's defaults.

use super::bias::LogitBias;
use super::constraint::Constraint;
use crate::error::EngineError;
use cocoon_manifest::SamplingDefaults;
use sha2::{Digest, Sha256};

/// What a request says about sampling. Absent values come from the model's `generation_config.json`.
#[derive(Debug, Clone, PartialEq, Default)]
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
    /// Added to the logits of single tokens, after the penalties.
    pub logit_bias: LogitBias,
    /// What the answer must match.
    pub constraint: Option<Constraint>,
}

/// Sampling parameters with nothing left open.
#[derive(Debug, Clone, PartialEq)]
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
    /// Empty for none.
    pub logit_bias: LogitBias,
    /// What the answer must match.
    pub constraint: Option<Constraint>,
}

/// What a manifest says of a model that recommends nothing.
impl Default for Sampling {
    fn default() -> Self {
        SamplingDefaults::default().into()
    }
}

/// What a manifest can say; the rest is the same for all models.
impl From<SamplingDefaults> for Sampling {
    fn from(defaults: SamplingDefaults) -> Self {
        let SamplingDefaults {
            temperature,
            top_p,
            top_k,
            min_p,
            repetition_penalty,
        } = defaults;
        Self {
            temperature,
            top_p,
            top_k,
            min_p,
            frequency_penalty: 0.0,
            presence_penalty: 0.0,
            repetition_penalty,
            logit_bias: LogitBias::default(),
            constraint: None,
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
            logit_bias: self.logit_bias.clone(),
            constraint: self.constraint.clone(),
        };
        sampling.logit_bias.check()?;
        sampling.constraint.as_ref().map_or(Ok(()), Constraint::check)?;
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
    /// of the fields. What a request does not use adds nothing: a bias adds its own tag, the count of tokens, then each
    /// token and amount; a constraint its tag, its kind, its length and its text.
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
        if !self.logit_bias.is_empty() {
            hasher.update(b"logit-bias");
            hasher.update((self.logit_bias.iter().count() as u64).to_le_bytes());
            for (token, amount) in self.logit_bias.iter() {
                hasher.update(token.to_le_bytes());
                hasher.update(amount.to_bits().to_le_bytes());
            }
        }
        if let Some(constraint) = &self.constraint {
            constraint.hash_into(&mut hasher);
        }
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
                ..base.clone()
            },
            Sampling {
                top_p: 0.5,
                ..base.clone()
            },
            Sampling {
                top_k: 5,
                ..base.clone()
            },
            Sampling {
                min_p: 0.5,
                ..base.clone()
            },
            Sampling {
                frequency_penalty: 0.5,
                ..base.clone()
            },
            Sampling {
                presence_penalty: 0.5,
                ..base.clone()
            },
            Sampling {
                repetition_penalty: 0.5,
                ..base.clone()
            },
            Sampling {
                logit_bias: [(7, -1.0)].into_iter().collect(),
                ..base.clone()
            },
            Sampling {
                logit_bias: [(7, -2.0)].into_iter().collect(),
                ..base.clone()
            },
            Sampling {
                constraint: Some(Constraint::JsonObject),
                ..base.clone()
            },
            Sampling {
                constraint: Some(Constraint::Regex("a".to_owned())),
                ..base.clone()
            },
            Sampling {
                constraint: Some(Constraint::Grammar("a".to_owned())),
                ..base.clone()
            },
        ];
        let mut hashes: Vec<_> = others.iter().chain([&base]).map(Sampling::hash).collect();
        hashes.sort_unstable();
        hashes.dedup();
        assert_eq!(hashes.len(), others.len() + 1);
    }

    #[test]
    fn the_hash_of_plain_requests_never_changes() {
        // Computed with Python's hashlib over the tag and the defaults.
        let expected = "1554ca83d587f229362ea0b11bc8dd0aca66030375863531fc0379103f6a3318";
        assert_eq!(hex::encode(Sampling::default().hash()), expected);
    }

    #[test]
    fn a_bias_out_of_range_is_refused() {
        for bias in [
            vec![(1, 100.5)],
            vec![(1, f32::NAN)],
            (0..1025).map(|id| (id, 1.0)).collect(),
        ] {
            let wish = SamplingWish {
                logit_bias: bias.into_iter().collect(),
                ..SamplingWish::default()
            };
            let refused = wish.resolve(&Sampling::default()).unwrap_err();
            assert!(matches!(refused, EngineError::Parameter { name: "logit_bias", .. }));
        }
    }
}
