//! What a decode step asks of a GPU, counted from the shape of the model, and how fast one answers.

use super::{Noise, parse};
use crate::device::{Draw, Tally, TallyDevice, WeightFormat};
use crate::error::EngineError;
use crate::limits::KV_BLOCK;
use crate::model::{BlockId, Executor, LoadOptions, Outcome, Piece, Transformer, Wanted};
use std::sync::{Arc, Mutex, PoisonError};
#[cfg(feature = "cuda")]
use std::time::Instant;

/// What one step of decoding asks for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub struct StepCosts {
    /// Kernels that are started.
    pub launches: u64,
    /// How often the host waits for numbers.
    pub waits: u64,
    /// Bytes of weights.
    pub weights: u64,
    /// Bytes of keys and values.
    pub cache: u64,
    /// Bytes of tensors.
    pub tensors: u64,
    /// Multiplications with their additions.
    pub multiply_adds: u64,
}

/// Counts a step in which each of `batch` sequences of `position` tokens goes on by one, chosen on the device. `config`
/// is the text of a config.json.
pub fn step_costs(config: &str, format: WeightFormat, batch: usize, position: usize) -> Result<StepCosts, EngineError> {
    let spec = parse(config)?;
    let tally = Arc::new(Mutex::new(Tally::default()));
    let options = options(format, batch, position + 1);
    let mut model = Transformer::load(&spec, &mut Noise, TallyDevice::new(tally.clone()), options)?;
    step(&mut model, batch, position, 1, options.positions)?;
    let tally = *tally.lock().unwrap_or_else(PoisonError::into_inner);
    Ok(StepCosts {
        launches: tally.launches,
        waits: tally.waits,
        weights: tally.weights,
        cache: tally.cache,
        tensors: tally.tensors,
        multiply_adds: tally.multiply_adds,
    })
}

/// How fast a GPU is.
#[derive(Debug, Clone, Copy)]
#[non_exhaustive]
pub struct GpuSpeed {
    /// Tokens of all prompts per second.
    pub prefill: f64,
    /// Tokens of all sequences per second after that.
    pub decode: f64,
}

/// Runs `batch` prompts of `prompt` tokens and then `new` tokens of each on the first NVIDIA GPU, three times, and gives
/// the best of each.
#[cfg(feature = "cuda")]
pub fn measure_cuda(
    config: &str,
    format: WeightFormat,
    batch: usize,
    prompt: usize,
    new: usize,
) -> Result<GpuSpeed, EngineError> {
    let spec = parse(config)?;
    let options = options(format, batch, prompt + new);
    let mut model = Transformer::load(&spec, &mut Noise, crate::load::open_gpu()?, options)?;
    // Every kernel is compiled when it is first used.
    step(&mut model, batch, 0, prompt.min(8), options.positions)?;
    let (mut prefill, mut decode) = (0.0_f64, 0.0_f64);
    for _ in 0..3 {
        let begun = Instant::now();
        for sequence in 0..batch {
            one(&mut model, sequence, prompt, options.positions)?;
        }
        prefill = prefill.max((batch * prompt) as f64 / begun.elapsed().as_secs_f64());
        let begun = Instant::now();
        decode_steps(&mut model, batch, prompt..prompt + new, options.positions)?;
        decode = decode.max((batch * new) as f64 / begun.elapsed().as_secs_f64());
    }
    Ok(GpuSpeed { prefill, decode })
}

#[cfg(feature = "cuda")]
fn one(model: &mut impl Executor, sequence: usize, prompt: usize, positions: usize) -> Result<(), EngineError> {
    run(model, vec![piece(sequence, 0, prompt, positions)])
}

fn options(format: WeightFormat, batch: usize, positions: usize) -> LoadOptions {
    LoadOptions {
        format,
        positions,
        blocks: batch * positions.div_ceil(KV_BLOCK),
    }
}

/// `tokens` tokens of every sequence.
fn step(
    model: &mut impl Executor,
    batch: usize,
    start: usize,
    tokens: usize,
    positions: usize,
) -> Result<(), EngineError> {
    let pieces = (0..batch).map(|sequence| piece(sequence, start, tokens, positions));
    run(model, pieces.collect())
}

fn piece(sequence: usize, start: usize, tokens: usize, positions: usize) -> Piece {
    let of_each = positions.div_ceil(KV_BLOCK);
    let block = |block: usize| BlockId(u32::try_from(sequence * of_each + block).unwrap_or(u32::MAX));
    let token = |position: usize| u32::try_from((position + sequence) * 7919 % 1000).unwrap_or(0);
    Piece {
        tokens: (start..start + tokens).map(token).collect(),
        start,
        blocks: (0..(start + tokens).div_ceil(KV_BLOCK)).map(block).collect(),
        wanted: Wanted::Logits,
    }
}

/// Every sequence goes on from its own token by one at each of these positions, as many steps ahead as the executor
/// takes: as the engine does it.
#[cfg(any(test, feature = "cuda"))]
fn decode_steps(
    model: &mut impl Executor,
    batch: usize,
    at: std::ops::Range<usize>,
    positions: usize,
) -> Result<(), EngineError> {
    let draws = vec![Some(GREEDY); batch];
    let mut under_way = 0;
    for position in at {
        let pieces: Vec<_> = (0..batch)
            .map(|sequence| piece(sequence, position, 1, positions))
            .collect();
        // While its step is under way, a token is known to the device alone.
        let follows: Vec<_> = (0..batch).map(|sequence| (under_way > 0).then_some(sequence)).collect();
        model.start(crate::model::StepWork {
            pieces: &pieces,
            draws: &draws,
            follows: &follows,
        })?;
        under_way += 1;
        if under_way > model.ahead() {
            all_chosen(&model.finish()?)?;
            under_way -= 1;
        }
    }
    for _ in 0..under_way {
        all_chosen(&model.finish()?)?;
    }
    Ok(())
}

/// The likeliest token.
const GREEDY: Draw = Draw {
    temperature: 0.0,
    top_p: 1.0,
    top_k: 0,
    min_p: 0.0,
    uniform: 0.5,
};

fn run(model: &mut impl Executor, pieces: Vec<Piece>) -> Result<(), EngineError> {
    let draws = vec![Some(GREEDY); pieces.len()];
    all_chosen(&model.run_choosing(&pieces, &draws)?)
}

fn all_chosen(outcomes: &[Outcome]) -> Result<(), EngineError> {
    let chosen = |outcome: &Outcome| matches!(outcome, Outcome::Token(Some(_)));
    if outcomes.iter().all(chosen) {
        Ok(())
    } else {
        Err(EngineError::NotANumber)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::StepWork;

    const CONFIG: &str = include_str!("../../../../scripts/bench/engine-cpu/qwen3-0.6b.json");

    #[test]
    fn a_layer_is_nine_launches_whatever_the_batch() {
        let layers: u64 = 28;
        for batch in [1, 8] {
            let costs = step_costs(CONFIG, WeightFormat::Bf16, batch, 512).unwrap();
            // Besides the layers: the embedding, the last sum, the rows that are read, the norm, the head and the choice;
            // where not all rows of the step are read, both tensors of the last layer lose some.
            assert_eq!(costs.launches, 9 * layers + 6, "{costs:?}");
            assert_eq!(costs.waits, 1);
        }
    }

    #[test]
    fn weights_are_read_once_and_keys_for_each_sequence() {
        let one = step_costs(CONFIG, WeightFormat::Bf16, 1, 511).unwrap();
        let eight = step_costs(CONFIG, WeightFormat::Bf16, 8, 511).unwrap();
        assert_eq!(one.cache, 28 * 512 * 8 * 256 * 4);
        assert_eq!(eight.cache, 8 * one.cache);
        // A row of the embedding more for each sequence.
        assert_eq!(eight.weights - one.weights, 7 * 1024 * 2);
        assert_eq!(eight.multiply_adds, 8 * one.multiply_adds);
    }

    /// Takes steps ahead and remembers how many were under way when each began, and which pieces went on from them.
    struct Watched {
        ahead: usize,
        under_way: Vec<usize>,
        begun: Vec<(usize, Vec<Option<usize>>)>,
    }

    impl Executor for Watched {
        fn blocks(&self) -> usize {
            usize::MAX
        }

        fn ahead(&self) -> usize {
            self.ahead
        }

        fn start(&mut self, work: StepWork<'_>) -> Result<(), EngineError> {
            self.begun.push((self.under_way.len(), work.follows.to_vec()));
            self.under_way.push(work.pieces.len());
            Ok(())
        }

        fn finish(&mut self) -> Result<Vec<Outcome>, EngineError> {
            let pieces = self.under_way.remove(0);
            Ok(vec![Outcome::Token(Some(1)); pieces])
        }
    }

    #[test]
    fn decoding_is_measured_as_many_steps_ahead_as_the_device_takes() {
        for ahead in 0..3 {
            let mut watched = Watched {
                ahead,
                under_way: Vec::new(),
                begun: Vec::new(),
            };
            decode_steps(&mut watched, 2, 8..12, 12).unwrap();
            let expected = (0..4_usize).map(|step| {
                let under_way = step.min(ahead);
                (
                    under_way,
                    vec![(under_way > 0).then_some(0), (under_way > 0).then_some(1)],
                )
            });
            assert_eq!(watched.begun, expected.collect::<Vec<_>>());
            assert_eq!(watched.under_way, [0_usize; 0], "all steps were finished");
        }
    }
}
