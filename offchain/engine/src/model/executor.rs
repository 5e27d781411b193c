//! The line between scheduling and arithmetic.

use super::batch::Piece;
use crate::error::EngineError;

/// Runs a model. Knows of sequences only the pieces that it is handed; knows nothing of text, sampling or queues.
///
/// **Invariant:** the numbers that come back for a piece, and the keys and values that it leaves in its blocks, depend on
/// the tokens of its sequence alone, bit for bit: not on the other pieces, nor on how the sequence was cut into pieces,
/// nor on which blocks it has.
pub(crate) trait Executor: Send {
    /// How many blocks the cache has: ids are below this.
    fn blocks(&self) -> usize;

    /// Does a batch; for each piece what it wanted.
    fn run(&mut self, pieces: &[Piece]) -> Result<Vec<Option<Vec<f32>>>, EngineError>;
}

impl<E: Executor + ?Sized> Executor for Box<E> {
    fn blocks(&self) -> usize {
        (**self).blocks()
    }

    fn run(&mut self, pieces: &[Piece]) -> Result<Vec<Option<Vec<f32>>>, EngineError> {
        (**self).run(pieces)
    }
}
