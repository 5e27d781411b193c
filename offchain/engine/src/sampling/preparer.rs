//! Constraints are compiled before their requests come to the engine: some take a second, in which nobody's answer would
//! go on there.

use super::constraint::Constraint;
use super::matching::{Compiler, Matching};
use crate::error::EngineError;
use crate::request::SubmitRequest;
use std::fmt;
use std::sync::{Mutex, PoisonError};

/// Gives the bytes of each token of the vocabulary, as [`Compiler::new`] takes them.
type Words = Box<dyn Fn() -> Vec<Vec<u8>> + Send + Sync>;

/// Does the part of taking a request that may be slow. Compiling needs a stack of
/// [`crate::limits::CONSTRAINT_STACK_BYTES`].
pub struct Preparer {
    words: Words,
    eos: Vec<u32>,
    /// Made for the first constraint.
    state: Mutex<Option<State>>,
}

struct State {
    compiler: Compiler,
    /// Several answers to one request, and often several requests, have the same.
    last: Option<(Constraint, Matching)>,
}

/// What was prepared for a request.
#[derive(Default)]
pub struct Prepared {
    pub(crate) matching: Option<Matching>,
}

impl Preparer {
    pub(crate) fn new(words: Words, eos: Vec<u32>) -> Self {
        Self {
            words,
            eos,
            state: Mutex::default(),
        }
    }

    /// Whether there is anything to prepare.
    pub(crate) fn is_needed(request: &SubmitRequest) -> bool {
        request.sampling.constraint.is_some()
    }

    /// Prepares what a request needs. Others that call it meanwhile wait.
    pub(crate) fn prepare(&self, request: &SubmitRequest) -> Result<Prepared, EngineError> {
        let Some(constraint) = &request.sampling.constraint else {
            return Ok(Prepared::default());
        };
        constraint.check()?;
        let mut state = self.state.lock().unwrap_or_else(PoisonError::into_inner);
        let state = match &mut *state {
            Some(state) => state,
            None => state.insert(State {
                compiler: Compiler::new(&(self.words)(), &self.eos)?,
                last: None,
            }),
        };
        let matching = match &state.last {
            Some((last, matching)) if last == constraint => matching.copy(),
            _ => {
                let matching = state.compiler.compile(constraint)?;
                let copy = matching.copy();
                state.last = Some((constraint.clone(), matching));
                copy
            }
        };
        Ok(Prepared {
            matching: Some(matching),
        })
    }
}

impl fmt::Debug for Preparer {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Preparer").finish_non_exhaustive()
    }
}

impl fmt::Debug for Prepared {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Prepared(constraint: {})", self.matching.is_some())
    }
}
