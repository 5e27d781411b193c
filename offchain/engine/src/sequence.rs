//! One sequence: its tokens, where its computation stands, and how its tokens become text.

use crate::engine::{FinishReason, SequenceId, Usage};
use crate::error::EngineError;
use crate::limits::{KV_BLOCK, PREFILL_CHUNK};
use crate::model::{BlockId, Piece, Wanted};
use crate::sampling::Sampler;
use crate::text::deltas::Deltas;
use crate::text::reasoning::ReasoningCounter;
use crate::text::stop::{Filtered, StopFilter};

/// A sequence that waits or runs.
pub(crate) struct Sequence {
    pub(crate) id: SequenceId,
    /// Prompt and answer.
    tokens: Vec<u32>,
    prompt_len: usize,
    /// Tokens that the executor has seen.
    computed: usize,
    /// Blocks of the cache that hold them, with room for some more.
    blocks: Vec<BlockId>,
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
    pub(crate) prompt: Vec<u32>,
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
            prompt_len: new.prompt.len(),
            computed: 0,
            blocks: Vec::new(),
            max_len: new.max_len,
            sampler: new.sampler,
            eos: new.eos,
            tokens: new.prompt,
            deltas: new.deltas,
            stop: new.stop,
            reasoning: new.reasoning,
        }
    }

    /// Blocks of the cache that this sequence may come to need.
    pub(crate) fn reserve(&self) -> usize {
        self.max_len.div_ceil(KV_BLOCK)
    }

    /// The next piece of work; takes the blocks that it needs from `free`. Pieces of the prompt end at multiples of
    /// [`PREFILL_CHUNK`].
    pub(crate) fn next_piece(&mut self, free: &mut Vec<BlockId>) -> Piece {
        let border = (self.computed / PREFILL_CHUNK + 1) * PREFILL_CHUNK;
        let end = border.min(self.tokens.len());
        while self.blocks.len() * KV_BLOCK < end
            && let Some(block) = free.pop()
        {
            self.blocks.push(block);
        }
        Piece {
            tokens: self.tokens[self.computed..end].to_vec(),
            start: self.computed,
            blocks: self.blocks.clone(),
            wanted: if end == self.tokens.len() {
                Wanted::Logits
            } else {
                Wanted::Nothing
            },
        }
    }

    /// Gives its blocks back.
    pub(crate) fn into_blocks(self) -> Vec<BlockId> {
        self.blocks
    }

    /// Takes note that the executor has done `tokens` tokens; with logits, chooses the next token.
    pub(crate) fn accept(&mut self, tokens: usize, logits: Option<Vec<f32>>) -> Result<Option<Advance>, EngineError> {
        self.computed += tokens;
        let Some(logits) = logits else { return Ok(None) };
        let chosen = self.sampler.next(self.tokens.len() as u64, logits)?;
        self.push(chosen.token).map(Some)
    }

    fn push(&mut self, token: u32) -> Result<Advance, EngineError> {
        self.tokens.push(token);
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
        if self.tokens.len() < self.max_len {
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
            cached: 0,
            completion: (self.tokens.len() - self.prompt_len) as u64,
            reasoning: self.reasoning.count(),
        }
    }
}
