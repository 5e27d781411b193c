//! How far a long reading of weights is.

use crate::device::MatrixRows;
use crate::error::EngineError;
use crate::model::{Checkpoint, Source};

/// A part of a whole, in a unit that is the same for both.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub struct Progress {
    /// What is done.
    pub done: u64,
    /// What there is to do.
    pub total: u64,
}

/// A checkpoint that tells how much of it has been asked for, in numbers.
pub(super) struct Watched<'a> {
    pub(super) checkpoint: &'a mut dyn Checkpoint,
    pub(super) done: u64,
    pub(super) total: u64,
    pub(super) tell: &'a mut dyn FnMut(Progress),
}

impl Watched<'_> {
    /// What was asked for before is there.
    fn tell(&mut self, source: &Source) {
        let (done, total) = (self.done, self.total);
        (self.tell)(Progress { done, total });
        self.done += (source.outputs() * source.inputs()) as u64;
    }
}

impl Checkpoint for Watched<'_> {
    fn matrix(&mut self, source: &Source) -> Result<Box<dyn MatrixRows + '_>, EngineError> {
        self.tell(source);
        self.checkpoint.matrix(source)
    }

    fn pass_over(&mut self, tensor: &str) {
        self.checkpoint.pass_over(tensor);
    }

    fn numbers(&mut self, source: &Source) -> Result<Vec<f32>, EngineError> {
        self.tell(source);
        self.checkpoint.numbers(source)
    }
}
