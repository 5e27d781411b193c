//! An executor without a model, whose steps are done only when their results are asked for. Its blocks hold tokens, and
//! what it answers is made of those that it reads there.

use crate::device::Draw;
use crate::error::EngineError;
use crate::limits::KV_BLOCK;
use crate::model::{BlockId, Executor, Outcome, Piece, StepWork, Wanted};
use crate::sampling::choose_drawn;
use std::collections::VecDeque;
use std::sync::{Arc, Mutex};

/// Tokens that it knows: those of the tiny model.
const VOCABULARY: u32 = 1024;
/// Of these, one that ends an answer.
const END: usize = 1021;

pub(super) struct Chain {
    ahead: usize,
    blocks: Vec<[u32; KV_BLOCK]>,
    steps: VecDeque<Step>,
    /// What the step that was done last has drawn.
    drawn: Vec<Option<u32>>,
    /// Rows of all steps that were done.
    pub(super) rows: Arc<Mutex<usize>>,
    /// A sequence of so many tokens is followed by something that is not a number.
    broken: Option<usize>,
}

struct Step {
    pieces: Vec<Piece>,
    draws: Vec<Option<Draw>>,
    follows: Vec<Option<usize>>,
}

impl Chain {
    pub(super) fn new(ahead: usize, blocks: usize) -> Self {
        Self {
            ahead,
            blocks: vec![[u32::MAX; KV_BLOCK]; blocks],
            steps: VecDeque::new(),
            drawn: Vec::new(),
            rows: Arc::default(),
            broken: None,
        }
    }

    pub(super) fn breaking_at(self, tokens: usize) -> Self {
        Self {
            broken: Some(tokens),
            ..self
        }
    }

    /// Brings the tokens of a piece into its blocks.
    fn write(&mut self, piece: &Piece, follows: Option<usize>) {
        let mut tokens = piece.tokens.clone();
        if let Some(place) = follows {
            assert_eq!(tokens.pop(), Some(0), "a place for the token");
            tokens.push(self.drawn[place].unwrap_or(0));
        }
        *self.rows.lock().unwrap() += tokens.len();
        for (token, position) in tokens.into_iter().zip(piece.start..) {
            let BlockId(block) = piece.blocks[position / KV_BLOCK];
            self.blocks[block as usize][position % KV_BLOCK] = token;
        }
    }

    /// What comes after all tokens up to the end of a piece.
    fn logits(&self, piece: &Piece) -> Vec<f32> {
        let end = piece.start + piece.tokens.len();
        let state = (0..end).fold(0x9e37_79b9u32, |state, position| {
            let BlockId(block) = piece.blocks[position / KV_BLOCK];
            let token = self.blocks[block as usize][position % KV_BLOCK];
            assert!(token < VOCABULARY, "a position that was never written");
            (state ^ token).wrapping_mul(0x0100_0193).rotate_left(5)
        });
        if self.broken == Some(end) {
            return vec![f32::NAN; VOCABULARY as usize];
        }
        let mixed = |token: u32| (state ^ token.wrapping_mul(0x85eb_ca6b)).wrapping_mul(0xc2b2_ae35) >> 16;
        let logit = |token| mixed(token) as f32 / 8192.0;
        let mut logits: Vec<f32> = (0..VOCABULARY).map(logit).collect();
        // Answers end now and then.
        if state % 8 == 0 {
            logits[END] = 12.0;
        }
        logits
    }
}

impl Executor for Chain {
    fn blocks(&self) -> usize {
        self.blocks.len()
    }

    fn ahead(&self) -> usize {
        self.ahead
    }

    fn chooses(&self) -> bool {
        self.ahead > 0
    }

    fn start(&mut self, work: StepWork<'_>) -> Result<(), EngineError> {
        assert!(self.steps.len() <= self.ahead, "more steps than it can be ahead");
        self.steps.push_back(Step {
            pieces: work.pieces.to_vec(),
            draws: work.draws.to_vec(),
            follows: work.follows.to_vec(),
        });
        Ok(())
    }

    fn finish(&mut self) -> Result<Vec<Outcome>, EngineError> {
        let step = self.steps.pop_front().expect("a step is under way");
        for (piece, follows) in step.pieces.iter().zip(&step.follows) {
            self.write(piece, *follows);
        }
        let outcomes = step.pieces.iter().enumerate().map(|(number, piece)| {
            let draw = step.draws.get(number).copied().flatten();
            match (piece.wanted, draw) {
                (Wanted::Logits, Some(draw)) => Outcome::Token(choose_drawn(&draw, &self.logits(piece))),
                (Wanted::Logits, None) => Outcome::Numbers(self.logits(piece)),
                _ => Outcome::Nothing,
            }
        });
        let outcomes: Vec<Outcome> = outcomes.collect();
        let drawn = outcomes.iter().map(|outcome| match outcome {
            Outcome::Token(token) => *token,
            _ => None,
        });
        self.drawn = drawn.collect();
        Ok(outcomes)
    }
}
