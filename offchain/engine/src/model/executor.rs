//! The line between scheduling and arithmetic.

use crate::engine::SequenceId;
use crate::error::EngineError;

/// A piece of work for one sequence: tokens that follow those which the executor has seen of it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Work {
    pub(crate) id: SequenceId,
    pub(crate) tokens: Vec<u32>,
    /// Whether the logits after the last token are wanted.
    pub(crate) logits: bool,
}

/// Runs a model. Knows sequences only by id and by the tokens that it has seen of them; knows nothing of text,
/// sampling or queues.
pub(crate) trait Executor: Send {
    /// Does a batch; for each piece the logits, if wanted. The result for a piece depends on its sequence alone.
    fn run(&mut self, batch: &[Work]) -> Result<Vec<Option<Vec<f32>>>, EngineError>;

    /// Forgets a sequence and frees its cache.
    fn forget(&mut self, id: SequenceId);
}
