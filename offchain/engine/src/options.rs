//! What an operator may set.

use crate::limits;

/// Bounds of one engine. All have defaults.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct EngineOptions {
    /// Sequences that run side by side.
    pub max_num_seqs: usize,
    /// Sequences that wait for a place; one more is refused.
    pub max_waiting: usize,
    /// Positions of one sequence, at most what the model was made for.
    pub max_model_len: Option<usize>,
    /// Positions of all running sequences together: the memory of the cache.
    pub max_kv_tokens: usize,
}

impl Default for EngineOptions {
    fn default() -> Self {
        Self {
            max_num_seqs: limits::DEFAULT_MAX_NUM_SEQS,
            max_waiting: limits::DEFAULT_MAX_WAITING,
            max_model_len: None,
            max_kv_tokens: limits::DEFAULT_MAX_KV_TOKENS,
        }
    }
}
