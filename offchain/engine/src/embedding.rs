//! Texts to vectors.

mod pool;

use crate::card::ModelCard;
use crate::error::EngineError;
use crate::limits::{KV_BLOCK, MAX_EMBEDDING_INPUTS, MAX_PROMPT_BYTES};
use crate::load::Pooling;
use crate::model::{BlockId, Executor, Piece, Wanted};
use crate::text::tokenizer::Tokenizer;
use pool::Pool;
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
}

impl Embedder {
    pub(crate) fn new(
        card: ModelCard,
        tokenizer: Tokenizer,
        executor: Box<dyn Executor>,
        pooling: Pooling,
        step_tokens: usize,
    ) -> Self {
        Self {
            card,
            tokenizer,
            executor,
            pooling,
            step_tokens,
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
        if inputs.is_empty() || inputs.len() > MAX_EMBEDDING_INPUTS {
            return Err(EngineError::Parameter {
                name: "input",
                allowed: "from 1 to 2048 texts",
            });
        }
        let tokens = inputs.iter().map(|input| self.tokens(input));
        let tokens = tokens.collect::<Result<Vec<_>, _>>()?;
        let mut embeddings = Vec::new();
        let mut rest = tokens.as_slice();
        while !rest.is_empty() {
            let (together, after) = rest.split_at(self.fitting(rest));
            let states = match together {
                [one] => vec![self.pool_of_one(one)?],
                several => self.pools_of_several(several)?,
            };
            for (pool, tokens) in states.into_iter().zip(together) {
                embeddings.push(Embedding {
                    numbers: pool.finish(self.pooling.normalized, dimensions)?,
                    tokens: tokens.len() as u64,
                });
            }
            rest = after;
        }
        Ok(embeddings)
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

    /// How many of these go into one step; at least one, which may take several.
    fn fitting(&self, inputs: &[Vec<u32>]) -> usize {
        let (mut tokens, mut blocks) = (0, 0);
        let fits = |input: &&Vec<u32>| {
            tokens += input.len();
            blocks += input.len().div_ceil(KV_BLOCK);
            tokens <= self.step_tokens && blocks <= self.executor.blocks()
        };
        inputs.iter().take_while(fits).count().max(1)
    }

    /// Step by step through one input.
    fn pool_of_one(&mut self, tokens: &[u32]) -> Result<Pool, EngineError> {
        let mut pool = Pool::new(self.pooling.kind);
        for (number, part) in tokens.chunks(self.step_tokens).enumerate() {
            let start = number * self.step_tokens;
            let piece = piece(part, start, 0);
            let states = self.executor.run(&[piece])?.pop().flatten();
            pool.add(&states.unwrap_or_default(), part.len());
        }
        Ok(pool)
    }

    /// One step for all.
    fn pools_of_several(&mut self, inputs: &[Vec<u32>]) -> Result<Vec<Pool>, EngineError> {
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
