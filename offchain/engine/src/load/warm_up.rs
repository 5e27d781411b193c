//! The first step of a model is slow: pages are touched, threads start. It is done before the first request.

use crate::error::EngineError;
use crate::limits::KV_BLOCK;
use crate::model::{BlockId, Executor, Piece, Wanted};
use std::time::{Duration, Instant};

/// Tokens of the steps that are timed: as of batches of answers, between the bounds that devices choose among.
const TIMED_ROWS: [usize; 3] = [12, 40, 100];
/// How often each is.
const TIMES: usize = 4;

/// Runs a piece of a prompt of `step_tokens` tokens and one token after it, in the first blocks, whose contents nobody reads after that. Weights
/// that give something else than numbers are refused here.
pub(super) fn run(executor: &mut dyn Executor, max_model_len: usize, step_tokens: usize) -> Result<(), EngineError> {
    let room = executor.blocks().saturating_mul(KV_BLOCK).min(max_model_len);
    let prompt = step_tokens.min(room.saturating_sub(1));
    step(executor, 0, prompt)?;
    step(executor, prompt, room.min(prompt + 1) - prompt)
}

/// How long steps of a few rows and of many take, the best of some.
pub(super) fn time(executor: &mut dyn Executor, max_model_len: usize) -> Result<Duration, EngineError> {
    let room = executor.blocks().saturating_mul(KV_BLOCK).min(max_model_len);
    let mut sum = Duration::ZERO;
    for rows in TIMED_ROWS {
        let mut best = Duration::MAX;
        for _ in 0..TIMES {
            let begun = Instant::now();
            step(executor, 0, rows.min(room))?;
            best = best.min(begun.elapsed());
        }
        sum += best;
    }
    Ok(sum)
}

fn step(executor: &mut dyn Executor, start: usize, tokens: usize) -> Result<(), EngineError> {
    if tokens == 0 {
        return Ok(());
    }
    let blocks = 0..(start + tokens).div_ceil(KV_BLOCK);
    let piece = Piece {
        tokens: vec![0; tokens],
        start,
        blocks: blocks.filter_map(|id| u32::try_from(id).ok()).map(BlockId).collect(),
        wanted: Wanted::Logits,
    };
    let results = executor.run(&[piece])?;
    let finite = |logits: &Vec<f32>| logits.iter().all(|logit| logit.is_finite());
    match results.iter().flatten().all(finite) {
        true => Ok(()),
        false => Err(EngineError::NotANumber),
    }
}
