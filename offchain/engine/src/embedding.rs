//! Texts to vectors.

mod handle;
mod pool;
mod queue;

pub use handle::{EmbedderHandle, EmbeddingRequest, EmbeddingSink};

use crate::card::ModelCard;
use crate::error::EngineError;
use crate::limits::{KV_BLOCK, MAX_EMBEDDING_INPUTS, MAX_PROMPT_BYTES};
use crate::load::Pooling;
use crate::model::{BlockId, Executor, Piece, Wanted};
use crate::options::EngineOptions;
use crate::text::tokenizer::Tokenizer;
use pool::Pool;
use queue::QueueBounds;
use std::fmt;

/// What is turned into a vector.
#[derive(Clone, PartialEq, Eq)]
#[non_exhaustive]
pub enum EmbeddingInput {
    /// A text; the tokenizer adds the marks that the model was trained with.
    Text(String),
    /// Tokens of this model, taken as they are.
    Tokens(Vec<u32>),
}

/// Leaves the content out.
impl fmt::Debug for EmbeddingInput {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Text(text) => write!(f, "Text({} bytes)", text.len()),
            Self::Tokens(tokens) => write!(f, "Tokens({})", tokens.len()),
        }
    }
}

/// One vector.
#[derive(Clone, PartialEq)]
#[non_exhaustive]
pub struct Embedding {
    /// Its numbers.
    pub numbers: Vec<f32>,
    /// Tokens that were read for it.
    pub tokens: u64,
}

/// Leaves the content out.
impl fmt::Debug for Embedding {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Embedding")
            .field("dimensions", &self.numbers.len())
            .field("tokens", &self.tokens)
            .finish()
    }
}

/// A model that turns texts into vectors. A text's vector depends on nothing but the text.
pub struct Embedder {
    card: ModelCard,
    tokenizer: Tokenizer,
    executor: Box<dyn Executor>,
    pooling: Pooling,
    /// Tokens of one step.
    step_tokens: usize,
    bounds: QueueBounds,
}

impl Embedder {
    pub(crate) fn new(
        card: ModelCard,
        tokenizer: Tokenizer,
        executor: Box<dyn Executor>,
        pooling: Pooling,
        options: &EngineOptions,
    ) -> Self {
        Self {
            card,
            tokenizer,
            executor,
            pooling,
            step_tokens: options.step_tokens(),
            bounds: QueueBounds {
                max_waiting: options.max_waiting,
                max_queue_age: options.max_queue_age,
            },
        }
    }

    /// What model this is.
    pub fn card(&self) -> &ModelCard {
        &self.card
    }

    /// One vector for each input. With `dimensions`, only the first numbers of each, for models whose vectors may be cut.
    pub fn embed(
        &mut self,
        inputs: &[EmbeddingInput],
        dimensions: Option<usize>,
    ) -> Result<Vec<Embedding>, EngineError> {
        check_number(inputs)?;
        let tokens = inputs.iter().map(|input| self.tokens(input));
        let tokens = tokens.collect::<Result<Vec<_>, _>>()?;
        let mut embeddings = Vec::new();
        let mut rest = tokens.as_slice();
        while !rest.is_empty() {
            let (together, after) = rest.split_at(self.fitting(rest.iter().map(Vec::len)));
            let together: Vec<&[u32]> = together.iter().map(Vec::as_slice).collect();
            let pools = self.pools(&together, || true)?;
            for (pool, tokens) in pools.into_iter().zip(together) {
                embeddings.push(self.finish(pool, tokens.len(), dimensions)?);
            }
            rest = after;
        }
        Ok(embeddings)
    }

    fn finish(&self, pool: Pool, tokens: usize, dimensions: Option<usize>) -> Result<Embedding, EngineError> {
        Ok(Embedding {
            numbers: pool.finish(self.pooling.normalized, dimensions)?,
            tokens: tokens as u64,
        })
    }

    fn tokens(&self, input: &EmbeddingInput) -> Result<Vec<u32>, EngineError> {
        let tokens = match input {
            EmbeddingInput::Text(text) if text.len() > MAX_PROMPT_BYTES => {
                return Err(EngineError::PromptTooLong {
                    size: text.len(),
                    limit: MAX_PROMPT_BYTES,
                });
            }
            EmbeddingInput::Text(text) => self.tokenizer.encode_with_marks(text)?,
            EmbeddingInput::Tokens(tokens) => tokens.clone(),
        };
        if tokens.is_empty() {
            return Err(EngineError::EmptyPrompt);
        }
        if tokens.len() > self.card.max_model_len {
            return Err(EngineError::ContextLength {
                tokens: tokens.len(),
                limit: self.card.max_model_len + 1,
            });
        }
        match tokens.iter().find(|token| **token as usize >= self.card.vocab_size) {
            Some(token) => Err(EngineError::UnknownToken { id: *token }),
            None => Ok(tokens),
        }
    }

    /// How many inputs of these lengths go into one step; at least one, which may take several.
    fn fitting(&self, lengths: impl Iterator<Item = usize>) -> usize {
        let (mut tokens, mut blocks) = (0, 0);
        let fits = |length: &usize| {
            tokens += length;
            blocks += length.div_ceil(KV_BLOCK);
            tokens <= self.step_tokens && blocks <= self.executor.blocks()
        };
        lengths.take_while(fits).count().max(1)
    }

    /// What comes of inputs that fit in one step, or of one that does not: `goes_on` is asked before each of its further
    /// steps, and if it says no nothing comes.
    fn pools(&mut self, inputs: &[&[u32]], goes_on: impl Fn() -> bool) -> Result<Vec<Pool>, EngineError> {
        match inputs {
            [one] => self.pool_of_one(one, goes_on).map(|pool| pool.into_iter().collect()),
            several => self.pools_of_several(several),
        }
    }

    /// Step by step through one input.
    fn pool_of_one(&mut self, tokens: &[u32], goes_on: impl Fn() -> bool) -> Result<Option<Pool>, EngineError> {
        let mut pool = Pool::new(self.pooling.kind);
        for (number, part) in tokens.chunks(self.step_tokens).enumerate() {
            if number > 0 && !goes_on() {
                return Ok(None);
            }
            let start = number * self.step_tokens;
            let piece = piece(part, start, 0);
            let states = self.executor.run(&[piece])?.pop().flatten();
            pool.add(&states.unwrap_or_default(), part.len());
        }
        Ok(Some(pool))
    }

    /// One step for all.
    fn pools_of_several(&mut self, inputs: &[&[u32]]) -> Result<Vec<Pool>, EngineError> {
        let mut first = 0;
        let pieces: Vec<Piece> = inputs
            .iter()
            .map(|tokens| {
                let piece = piece(tokens, 0, first);
                first += piece.blocks.len();
                piece
            })
            .collect();
        let results = self.executor.run(&pieces)?;
        let pools = results.into_iter().zip(inputs).map(|(states, tokens)| {
            let mut pool = Pool::new(self.pooling.kind);
            pool.add(&states.unwrap_or_default(), tokens.len());
            pool
        });
        Ok(pools.collect())
    }
}

fn check_number(inputs: &[EmbeddingInput]) -> Result<(), EngineError> {
    if (1..=MAX_EMBEDDING_INPUTS).contains(&inputs.len()) {
        return Ok(());
    }
    Err(EngineError::Parameter {
        name: "input",
        allowed: "from 1 to 2048 texts",
    })
}

/// Tokens from `start` on of a sequence whose blocks lie side by side from `first` on.
fn piece(tokens: &[u32], start: usize, first: usize) -> Piece {
    let blocks = first..first + (start + tokens.len()).div_ceil(KV_BLOCK);
    Piece {
        tokens: tokens.to_vec(),
        start,
        blocks: blocks.filter_map(|id| u32::try_from(id).ok()).map(BlockId).collect(),
        wanted: Wanted::States,
    }
}
