//! A step that the device was asked for, and what becomes of its pieces when it is done.

use super::batch::{Batch, Wanted};
use super::executor::{Outcome, StepWork};
use crate::device::{Awaited, Choices, Draw};
use crate::error::EngineError;

/// Which rows of a step are read, and how.
#[derive(Default)]
pub(super) struct Reads {
    /// Rows of the batch of which anything is read, in their order. What follows are numbers of these.
    pub(super) wanted: Vec<usize>,
    /// Rows whose logits bring a token, with its draw.
    pub(super) drawn: Vec<usize>,
    pub(super) draws: Vec<Draw>,
    /// Rows whose logits are told.
    pub(super) told: Vec<usize>,
    /// Rows whose states are told.
    pub(super) shown: Vec<usize>,
    /// For every piece.
    pieces: Vec<Read>,
}

/// What is read of a piece.
enum Read {
    Nothing,
    /// The token of this draw.
    Token(usize),
    Logits,
    /// The states of so many rows.
    States(usize),
}

impl Reads {
    pub(super) fn of(work: StepWork<'_>, batch: &Batch) -> Self {
        let mut reads = Self::default();
        for (number, (piece, span)) in work.pieces.iter().zip(&batch.spans).enumerate() {
            let first = reads.wanted.len();
            let read = match (piece.wanted, work.draw(number)) {
                (Wanted::Nothing, _) => Read::Nothing,
                (Wanted::Logits, draw) => {
                    reads.wanted.push(span.rows.end - 1);
                    match draw {
                        Some(draw) => {
                            reads.drawn.push(first);
                            reads.draws.push(draw);
                            Read::Token(reads.drawn.len() - 1)
                        }
                        None => {
                            reads.told.push(first);
                            Read::Logits
                        }
                    }
                }
                (Wanted::States, _) => {
                    reads.wanted.extend(span.rows.clone());
                    reads.shown.extend(first..reads.wanted.len());
                    Read::States(span.rows.len())
                }
            };
            reads.pieces.push(read);
        }
        reads
    }

    /// For every piece the number of its draw.
    pub(super) fn draw_numbers(&self) -> Vec<Option<usize>> {
        let number = |read: &Read| match read {
            Read::Token(number) => Some(*number),
            Read::Nothing | Read::Logits | Read::States(_) => None,
        };
        self.pieces.iter().map(number).collect()
    }
}

/// A step whose results have not been taken. What was not asked for is `None`.
pub(super) struct Flight {
    pub(super) reads: Reads,
    pub(super) choices: Option<Awaited<Choices>>,
    pub(super) logits: Option<Awaited<Vec<f32>>>,
    pub(super) states: Option<Awaited<Vec<f32>>>,
}

impl Flight {
    /// Waits for it.
    pub(super) fn land(self) -> Result<Vec<Outcome>, EngineError> {
        let choices = taken(self.choices)?;
        let logits = taken(self.logits)?;
        let states = taken(self.states)?;
        let of_row = |numbers: &[f32], rows: &[usize]| numbers.len() / rows.len().max(1);
        let mut logits = logits.chunks_exact(of_row(&logits, &self.reads.told).max(1));
        let hidden = of_row(&states, &self.reads.shown);
        let mut states = states.as_slice();
        let outcomes = self.reads.pieces.into_iter().map(|read| match read {
            Read::Nothing => Outcome::Nothing,
            Read::Token(number) => Outcome::Token(choices.get(number).copied().flatten()),
            Read::Logits => logits
                .next()
                .map_or(Outcome::Nothing, |logits| Outcome::Numbers(logits.to_vec())),
            Read::States(rows) => {
                let (own, rest) = states.split_at(rows * hidden);
                states = rest;
                Outcome::Numbers(own.to_vec())
            }
        });
        Ok(outcomes.collect())
    }
}

/// Nothing of what was not asked for.
fn taken<T: Default>(awaited: Option<Awaited<T>>) -> Result<T, EngineError> {
    awaited.map_or_else(|| Ok(T::default()), |awaited| awaited())
}
