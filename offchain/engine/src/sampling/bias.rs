//! What a request adds to the logits of single tokens.

use crate::error::EngineError;
use crate::limits::MAX_LOGIT_BIAS;
use std::collections::BTreeMap;
use std::fmt;

/// Amounts by token id, each between -100 and 100. Ordered, so that hash and arithmetic have one order. Which tokens are
/// meant is not shown in `Debug`.
#[derive(Clone, PartialEq, Default)]
pub struct LogitBias(BTreeMap<u32, f32>);

impl LogitBias {
    /// Whether nothing is added.
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// Tokens and amounts in order of token id.
    pub fn iter(&self) -> impl Iterator<Item = (u32, f32)> + '_ {
        self.0.iter().map(|(token, amount)| (*token, *amount))
    }

    pub(super) fn check(&self) -> Result<(), EngineError> {
        let name = "logit_bias";
        if self.0.len() > MAX_LOGIT_BIAS {
            let allowed = "at most 1024 tokens";
            return Err(EngineError::Parameter { name, allowed });
        }
        if self.0.values().any(|amount| !(-100.0..=100.0).contains(amount)) {
            let allowed = "amounts between -100 and 100";
            return Err(EngineError::Parameter { name, allowed });
        }
        Ok(())
    }

    /// The first token that a vocabulary of `size` does not have.
    pub(crate) fn unknown(&self, size: usize) -> Option<u32> {
        self.0.keys().copied().find(|token| *token as usize >= size)
    }

    pub(super) fn apply(&self, logits: &mut [f32]) {
        for (token, amount) in self.iter() {
            if let Some(logit) = logits.get_mut(token as usize) {
                *logit += amount;
            }
        }
    }
}

impl FromIterator<(u32, f32)> for LogitBias {
    fn from_iter<I: IntoIterator<Item = (u32, f32)>>(pairs: I) -> Self {
        Self(pairs.into_iter().collect())
    }
}

impl fmt::Debug for LogitBias {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "LogitBias({})", self.0.len())
    }
}
