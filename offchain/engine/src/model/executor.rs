//! The line between scheduling and arithmetic.

use super::batch::Piece;
use crate::device::Draw;
use crate::error::EngineError;

/// What a step is to do.
#[derive(Debug, Clone, Copy, Default)]
pub(crate) struct StepWork<'a> {
    pub(crate) pieces: &'a [Piece],
    /// How the token after a piece is chosen, for those that want logits and can do without them; what is not there is
    /// `None`.
    pub(crate) draws: &'a [Option<Draw>],
    /// For a piece whose last token is not known, the piece of the step that was started last that draws it; what is not
    /// there is `None`.
    pub(crate) follows: &'a [Option<usize>],
}

impl StepWork<'_> {
    /// How the token after a piece is chosen.
    pub(crate) fn draw(&self, piece: usize) -> Option<Draw> {
        self.draws.get(piece).copied().flatten()
    }
}

/// What comes back for a piece.
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
/// Steps are done in the order in which they are started, and [`Self::finish`] gives the results of the oldest. One may be
/// started while up to [`Self::ahead`] others are not finished, and may go on from tokens that the step before draws: so
/// a device need not stand still while its last results are looked at.
///
/// **Invariant:** the numbers that come back for a piece, and the keys and values that it leaves in its blocks, depend on
/// the tokens of its sequence alone, bit for bit: not on the other pieces, nor on how the sequence was cut into pieces,
/// nor on which blocks it has, nor on how many steps are under way.
pub(crate) trait Executor: Send {
    /// How many blocks the cache has: ids are below this.
    fn blocks(&self) -> usize;

    /// How many steps that are not finished another may follow.
    fn ahead(&self) -> usize {
        0
    }

    /// Whether a piece with a draw brings a token instead of logits, which then do not leave the device.
    fn chooses(&self) -> bool {
        false
    }

    /// How many ways it has to do the same with the same bits, of which one may be faster.
    fn plans(&self) -> usize {
        1
    }

    /// Does all from now on in one of these ways.
    fn take_plan(&mut self, plan: usize) {
        let _ = plan;
    }

    /// Starts a step. After an error nothing is known of any step.
    fn start(&mut self, work: StepWork<'_>) -> Result<(), EngineError>;

    /// Waits for the oldest step that is not finished; for each of its pieces what it wanted.
    fn finish(&mut self) -> Result<Vec<Outcome>, EngineError>;

    /// Does a step while no other is under way, and lets it choose tokens where there are draws.
    fn run_choosing(&mut self, pieces: &[Piece], draws: &[Option<Draw>]) -> Result<Vec<Outcome>, EngineError> {
        self.start(StepWork {
            pieces,
            draws,
            follows: &[],
        })?;
        self.finish()
    }

    /// Does a step while no other is under way; for each piece what it wanted.
    fn run(&mut self, pieces: &[Piece]) -> Result<Vec<Option<Vec<f32>>>, EngineError> {
        let outcomes = self.run_choosing(pieces, &[])?.into_iter();
        Ok(outcomes
            .map(|outcome| match outcome {
                Outcome::Numbers(numbers) => Some(numbers),
                Outcome::Nothing | Outcome::Token(_) => None,
            })
            .collect())
    }
}

/// A defect of whoever asked for it.
pub(crate) const NOTHING_STARTED: EngineError = EngineError::Device {
    doing: "finishing a step that was not started",
};

impl<E: Executor + ?Sized> Executor for Box<E> {
    fn blocks(&self) -> usize {
        (**self).blocks()
    }

    fn ahead(&self) -> usize {
        (**self).ahead()
    }

    fn chooses(&self) -> bool {
        (**self).chooses()
    }

    fn plans(&self) -> usize {
        (**self).plans()
    }

    fn take_plan(&mut self, plan: usize) {
        (**self).take_plan(plan);
    }

    fn start(&mut self, work: StepWork<'_>) -> Result<(), EngineError> {
        (**self).start(work)
    }

    fn finish(&mut self) -> Result<Vec<Outcome>, EngineError> {
        (**self).finish()
    }
}
