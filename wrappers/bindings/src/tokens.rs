//! Token counts by class: as the engine counted them, and as the price makes them.

use serde::{Deserialize, Serialize};

/// Tokens as counted, before any multiplier. `cached` is a part of `prompt`, `reasoning` a part of `completion`.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub struct TokenCounts {
    /// Tokens of the prompt, cached ones included.
    pub prompt: u64,
    /// Prompt tokens that came from the prefix cache.
    pub cached: u64,
    /// Tokens of the answer, reasoning included.
    pub completion: u64,
    /// Answer tokens that are reasoning.
    pub reasoning: u64,
}

/// Adjusted tokens, the unit of account, by class. The classes do not overlap: `prompt` is without `cached`, `completion`
/// without `reasoning`.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub struct TokensUsed {
    /// Adjusted prompt tokens that were not cached.
    pub prompt: u64,
    /// Adjusted cached prompt tokens.
    pub cached: u64,
    /// Adjusted answer tokens that are not reasoning.
    pub completion: u64,
    /// Adjusted reasoning tokens.
    pub reasoning: u64,
    /// The sum of the four.
    pub total: u64,
}

impl TokensUsed {
    /// Whether `total` is the sum of the four classes.
    pub fn adds_up(&self) -> bool {
        let sum = self.prompt.checked_add(self.cached);
        let sum = sum.and_then(|sum| sum.checked_add(self.completion));
        sum.and_then(|sum| sum.checked_add(self.reasoning)) == Some(self.total)
    }
}
