//! The line between scheduling and arithmetic.

use super::batch::Piece;
use crate::device::Draw;
use crate::error::EngineError;

/// What comes back for a piece that may have had a draw.
#[derive(Debug, Clone, PartialEq)]
pub(crate) enum Outcome {
    /// It wanted nothing.
    Nothing,
    /// What it wanted.
    Numbers(Vec<f32>),
    /// Instead of logits the token that was chosen from them; `None` if one is not a number.
    Token(Option<u32>),
}

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

    /// Whether [`Self::run_choosing`] chooses tokens.
    fn chooses(&self) -> bool {
        false
    }

    /// As [`Self::run`], but where a piece that wants logits has a draw, and this [`Self::chooses`], a token comes instead
    /// of them: the logits do not leave the device.
    fn run_choosing(&mut self, pieces: &[Piece], draws: &[Option<Draw>]) -> Result<Vec<Outcome>, EngineError> {
        let _ = draws;
        let results = self.run(pieces)?.into_iter();
        Ok(results
            .map(|numbers| numbers.map_or(Outcome::Nothing, Outcome::Numbers))
            .collect())
    }
}

impl<E: Executor + ?Sized> Executor for Box<E> {
    fn blocks(&self) -> usize {
        (**self).blocks()
    }

    fn run(&mut self, pieces: &[Piece]) -> Result<Vec<Option<Vec<f32>>>, EngineError> {
        (**self).run(pieces)
    }

    fn chooses(&self) -> bool {
        (**self).chooses()
    }

    fn run_choosing(&mut self, pieces: &[Piece], draws: &[Option<Draw>]) -> Result<Vec<Outcome>, EngineError> {
        (**self).run_choosing(pieces, draws)
    }
}
