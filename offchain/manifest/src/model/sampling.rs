//! What a request gets that says nothing about sampling.

use crate::error::ManifestError;
use std::fmt;
use std::str::FromStr;

/// The sampling parameters that a model's makers recommend (`generation_config.json`), with nothing left open. Numbers
/// are finite and written in the shortest form that reads back as the same `f32`.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct SamplingDefaults {
    /// 0 takes the likeliest token always.
    pub temperature: f32,
    /// 1 for all tokens.
    pub top_p: f32,
    /// 0 for all tokens.
    pub top_k: u32,
    /// 0 for all tokens.
    pub min_p: f32,
    /// 1 for none.
    pub repetition_penalty: f32,
}

/// What an OpenAI server does without a model's recommendation.
impl Default for SamplingDefaults {
    fn default() -> Self {
        Self {
            temperature: 1.0,
            top_p: 1.0,
            top_k: 0,
            min_p: 0.0,
            repetition_penalty: 1.0,
        }
    }
}

impl SamplingDefaults {
    /// Refuses numbers that a text cannot hold.
    pub(super) fn check(&self) -> Result<(), ManifestError> {
        let numbers = [self.temperature, self.top_p, self.min_p, self.repetition_penalty];
        match numbers.iter().all(|number| number.is_finite()) {
            true => Ok(()),
            false => Err(ManifestError::Sampling),
        }
    }
}

impl fmt::Display for SamplingDefaults {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self {
            temperature,
            top_p,
            top_k,
            min_p,
            repetition_penalty,
        } = self;
        write!(
            f,
            "temperature={temperature} top_p={top_p} top_k={top_k} min_p={min_p} repetition_penalty={repetition_penalty}"
        )
    }
}

impl FromStr for SamplingDefaults {
    type Err = ManifestError;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let read = || {
            let mut words = text.split(' ');
            let mut value = |key: &str| words.next()?.strip_prefix(key)?.strip_prefix('=');
            Some(Self {
                temperature: value("temperature")?.parse().ok()?,
                top_p: value("top_p")?.parse().ok()?,
                top_k: value("top_k")?.parse().ok()?,
                min_p: value("min_p")?.parse().ok()?,
                repetition_penalty: value("repetition_penalty")?.parse().ok()?,
            })
        };
        let defaults = read().ok_or(ManifestError::Sampling)?;
        defaults.check()?;
        // Anything behind the last word, and any other form of a number, is not written again.
        match defaults.to_string() == text {
            true => Ok(defaults),
            false => Err(ManifestError::Sampling),
        }
    }
}
