//! One sequence above the scheduler: how its tokens are chosen and become text.

use crate::engine::{FinishReason, SequenceId, Usage};
use crate::error::EngineError;
use crate::sampling::Sampler;
use crate::text::deltas::Deltas;
use crate::text::reasoning::ReasoningCounter;
use crate::text::stop::{Filtered, StopFilter};

/// A sequence that waits or runs.
pub(crate) struct Sequence {
    pub(crate) id: SequenceId,
    prompt_len: usize,
    /// Tokens of the prompt that the prefix cache had.
    cached: usize,
    /// Tokens of prompt and answer.
    len: usize,
    /// Tokens of prompt and answer at most.
    max_len: usize,
    sampler: Sampler,
    eos: Vec<u32>,
    deltas: Deltas,
    stop: StopFilter,
    reasoning: ReasoningCounter,
}

/// What a new token brought.
pub(crate) struct Advance {
    pub(crate) token: u32,
    pub(crate) text: String,
    pub(crate) finish: Option<FinishReason>,
}

/// What a sequence is made of.
pub(crate) struct NewSequence {
    pub(crate) id: SequenceId,
    /// Tokens of the prompt.
    pub(crate) prompt_len: usize,
    /// Tokens of prompt and answer at most.
    pub(crate) max_len: usize,
    pub(crate) sampler: Sampler,
    /// Tokens that end the answer.
    pub(crate) eos: Vec<u32>,
    pub(crate) deltas: Deltas,
    pub(crate) stop: StopFilter,
    pub(crate) reasoning: ReasoningCounter,
}

impl Sequence {
    pub(crate) fn new(new: NewSequence) -> Self {
        Self {
            id: new.id,
            prompt_len: new.prompt_len,
            cached: 0,
            len: new.prompt_len,
            max_len: new.max_len,
            sampler: new.sampler,
            eos: new.eos,
            deltas: new.deltas,
            stop: new.stop,
            reasoning: new.reasoning,
        }
    }

    /// Takes note of how much of the prompt the cache had.
    pub(crate) fn set_cached(&mut self, tokens: usize) {
        self.cached = tokens;
    }

    /// Chooses the next token.
    pub(crate) fn accept(&mut self, logits: Vec<f32>) -> Result<Advance, EngineError> {
        let chosen = self.sampler.next(self.len as u64, logits)?;
        self.push(chosen.token)
    }

    fn push(&mut self, token: u32) -> Result<Advance, EngineError> {
        self.len += 1;
        self.reasoning.push(token);
        let ended = self.eos.contains(&token);
        let piece = if ended {
            self.deltas.finish()?
        } else {
            self.deltas.push(token)?
        };
        let mut text = match self.stop.push(&piece) {
            Filtered::Stopped(text) => {
                return Ok(Advance {
                    token,
                    text,
                    finish: Some(FinishReason::Stop),
                });
            }
            Filtered::Open(text) => text,
        };
        if ended {
            text += &self.stop.finish();
            return Ok(Advance {
                token,
                text,
                finish: Some(FinishReason::Stop),
            });
        }
        if self.len < self.max_len {
            return Ok(Advance {
                token,
                text,
                finish: None,
            });
        }
        // The end by length: what is held back comes out, unless it completes a stop string.
        let finish = match self.stop.push(&self.deltas.finish()?) {
            Filtered::Stopped(rest) => {
                text += &rest;
                FinishReason::Stop
            }
            Filtered::Open(rest) => {
                text += &rest;
                text += &self.stop.finish();
                FinishReason::Length
            }
        };
        Ok(Advance {
            token,
            text,
            finish: Some(finish),
        })
    }

    /// Totals up to here.
    pub(crate) fn usage(&self) -> Usage {
        Usage {
            prompt: self.prompt_len as u64,
            cached: self.cached as u64,
            completion: (self.len - self.prompt_len) as u64,
            reasoning: self.reasoning.count(),
        }
    }
}
