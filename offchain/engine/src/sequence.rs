//! One sequence above the scheduler: how its tokens are chosen and become text.

use crate::device::Draw;
use crate::engine::{FinishReason, SequenceId, Usage};
use crate::error::EngineError;
use crate::model::Outcome;
use crate::sampling::{Logprobs, Sampler};
use crate::text::deltas::Deltas;
use crate::text::reasoning::ReasoningCounter;
use crate::text::split::{Parts, Splitter};
use crate::text::stop::{Filtered, StopFilter};

/// A sequence that waits or runs.
pub(crate) struct Sequence {
    pub(crate) id: SequenceId,
    prompt_len: usize,
    /// Tokens of the prompt that the prefix cache had.
    cached: usize,
    /// Tokens of prompt and answer.
    len: usize,
    /// Tokens after these that steps under way will bring.
    under_way: usize,
    /// Tokens of prompt and answer at most.
    max_len: usize,
    sampler: Sampler,
    eos: Vec<u32>,
    deltas: Deltas,
    stop: StopFilter,
    splitter: Option<Splitter>,
    reasoning: ReasoningCounter,
}

/// What a new token brought.
pub(crate) struct Advance {
    pub(crate) token: u32,
    pub(crate) parts: Parts,
    /// None where they are not wanted, and for a token that ends the answer.
    pub(crate) logprobs: Option<Logprobs>,
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
    /// None if the answer is one text.
    pub(crate) splitter: Option<Splitter>,
    pub(crate) reasoning: ReasoningCounter,
}

impl Sequence {
    pub(crate) fn new(new: NewSequence) -> Self {
        Self {
            id: new.id,
            prompt_len: new.prompt_len,
            cached: 0,
            len: new.prompt_len,
            under_way: 0,
            max_len: new.max_len,
            sampler: new.sampler,
            eos: new.eos,
            deltas: new.deltas,
            stop: new.stop,
            splitter: new.splitter,
            reasoning: new.reasoning,
        }
    }

    /// Takes note of how much of the prompt the cache had.
    pub(crate) fn set_cached(&mut self, tokens: usize) {
        self.cached = tokens;
    }

    /// How the token after those under way can be chosen where its logits are; `None` if they are needed here.
    pub(crate) fn draw(&self) -> Option<Draw> {
        self.sampler.draw((self.len + self.under_way) as u64)
    }

    /// Takes note of a step that will bring a token. Whether another may come after it, as far as lengths say.
    pub(crate) fn await_token(&mut self) -> bool {
        self.under_way += 1;
        self.len + self.under_way < self.max_len
    }

    /// Chooses the next token, or takes the one that was chosen.
    pub(crate) fn accept(&mut self, outcome: Outcome) -> Result<Advance, EngineError> {
        self.under_way = self.under_way.saturating_sub(1);
        let chosen = match outcome {
            Outcome::Numbers(logits) => self.sampler.next(self.len as u64, logits)?,
            Outcome::Token(Some(token)) => self.sampler.drawn(token),
            Outcome::Token(None) | Outcome::Nothing => return Err(EngineError::NotANumber),
        };
        let ended = self.eos.contains(&chosen.token);
        let (text, finish) = self.push(chosen.token, ended, chosen.complete);
        Ok(Advance {
            token: chosen.token,
            parts: self.split(text, finish.is_some()),
            logprobs: chosen.logprobs.filter(|_| !ended),
            finish,
        })
    }

    fn split(&mut self, text: String, is_last: bool) -> Parts {
        let Some(splitter) = &mut self.splitter else {
            return Parts {
                text,
                ..Parts::default()
            };
        };
        let mut parts = splitter.push(&text);
        if is_last {
            let rest = splitter.finish();
            parts.reasoning += &rest.reasoning;
            parts.text += &rest.text;
            parts.calls.extend(rest.calls);
        }
        parts
    }

    /// `ended` by a token that is not part of the text, or `complete` with it.
    fn push(&mut self, token: u32, ended: bool, complete: bool) -> (String, Option<FinishReason>) {
        self.len += 1;
        self.reasoning.push(token);
        let mut piece = String::new();
        if !ended {
            piece += &self.deltas.push(token);
        }
        if ended || complete {
            piece += &self.deltas.finish();
        }
        let mut text = match self.stop.push(&piece) {
            Filtered::Stopped(text) => return (text, Some(FinishReason::Stop)),
            Filtered::Open(text) => text,
        };
        if ended || complete {
            text += &self.stop.finish();
            return (text, Some(FinishReason::Stop));
        }
        if self.len < self.max_len {
            return (text, None);
        }
        // The end by length: what is held back comes out, unless it completes a stop string.
        match self.stop.push(&self.deltas.finish()) {
            Filtered::Stopped(rest) => (text + &rest, Some(FinishReason::Stop)),
            Filtered::Open(rest) => (text + &rest + &self.stop.finish(), Some(FinishReason::Length)),
        }
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
