//! How fast this machine runs a model of a given shape: its weights are random numbers, its text is nobody's.
//!
//! For `examples/engine_cpu.rs`, `examples/engine_cuda.rs` and `benches/matrix.rs`; not part of the interface.

mod gpu;
mod products;

#[cfg(feature = "cuda")]
pub use gpu::measure_cuda;
pub use gpu::{GpuSpeed, StepCosts, step_costs};
pub use products::{ProductShape, multiply_add_peak, product};

use crate::device::{CpuDevice, DryDevice, Ledger, MatrixRows, WeightFormat};
use crate::error::EngineError;
use crate::kernels::{Buffer, Pool, read_all};
use crate::limits::KV_BLOCK;
use crate::model::{BlockId, Checkpoint, Config, Executor, LoadOptions, ModelSpec, Piece, Source, Transformer, Wanted};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, Instant};

/// What was measured.
#[derive(Debug, Clone, Copy)]
#[non_exhaustive]
pub struct Speed {
    /// Tokens of the prompt per second, from the first to the first logits.
    pub prefill: f64,
    /// Tokens per second after that, one sequence alone.
    pub decode: f64,
    /// Which part of the read bandwidth that is, measured right before and right after the same tokens: the middle one
    /// of the runs.
    pub of_bandwidth: f64,
    /// Bytes that a token after the prompt reads: weights, keys and values, in the middle of them.
    pub bytes_per_token: u64,
    /// Time to pack the weights.
    pub load: Duration,
}

/// Runs a prompt of `prompt` tokens and `new` tokens after it, three times, and gives the best speed of each. `config` is
/// the text of a config.json.
pub fn measure(
    config: &str,
    format: WeightFormat,
    threads: usize,
    prompt: usize,
    new: usize,
) -> Result<Speed, EngineError> {
    let spec = parse(config)?;
    let positions = prompt + new;
    let options = LoadOptions {
        format,
        positions,
        blocks: positions.div_ceil(KV_BLOCK),
    };
    let begun = Instant::now();
    let mut model = Transformer::load(&spec, &mut Noise, CpuDevice::new(threads, false), options)?;
    let load = begun.elapsed();
    let blocks: Vec<BlockId> = (0..model.blocks())
        .filter_map(|id| u32::try_from(id).ok())
        .map(BlockId)
        .collect();
    let bytes_per_token = bytes_per_token(&spec, options, prompt + new.div_ceil(2))?;
    let (mut prefill, mut decode, mut shares) = (0.0_f64, 0.0_f64, Vec::new());
    let mut memory = Memory::new(threads);
    for _ in 0..3 {
        let begun = Instant::now();
        run(&mut model, &blocks, 0, prompt)?;
        prefill = prefill.max(prompt as f64 / begun.elapsed().as_secs_f64());
        let before = memory.pass_seconds();
        let begun = Instant::now();
        for position in prompt..positions {
            run(&mut model, &blocks, position, 1)?;
        }
        let speed = new as f64 / begun.elapsed().as_secs_f64();
        // Other guests of a machine change its bandwidth within seconds: a limit counts where it was measured.
        let bandwidth = 2.0 * Memory::BYTES as f64 / (before + memory.pass_seconds());
        shares.push(speed * bytes_per_token as f64 / bandwidth);
        decode = decode.max(speed);
    }
    shares.sort_by(f64::total_cmp);
    Ok(Speed {
        prefill,
        decode,
        of_bandwidth: shares[shares.len() / 2],
        bytes_per_token,
        load,
    })
}

/// The model of a config.json.
fn parse(config: &str) -> Result<ModelSpec, EngineError> {
    let fields = serde_json::from_str(config).map_err(|source| EngineError::Json {
        file: "config.json",
        source,
    })?;
    crate::model::model_spec(Config::new(fields))
}

/// Bytes per second that `threads` threads read from memory: the best of five passes over 1 GiB.
pub fn read_bandwidth(threads: usize) -> f64 {
    let mut memory = Memory::new(threads);
    let fastest = (0..5).map(|_| memory.pass_seconds()).fold(f64::INFINITY, f64::min);
    Memory::BYTES as f64 / fastest
}

/// Memory that is read to learn how fast that goes.
struct Memory {
    buffer: Buffer,
    pool: Pool,
}

impl Memory {
    const BYTES: usize = 1 << 30;

    fn new(threads: usize) -> Self {
        let mut buffer = Buffer::zeroed(Self::BYTES / 4);
        // Every page is written once, or the system lends the same page of zeros for all.
        buffer.iter_mut().step_by(1024).for_each(|number| *number = 1.0);
        let pool = Pool::new(threads, false);
        Self { buffer, pool }
    }

    /// How long one pass over all of it takes.
    fn pass_seconds(&mut self) -> f64 {
        const PART: usize = 256 * 1024;
        let Self { buffer, pool } = self;
        let sum = AtomicU64::new(0);
        let begun = Instant::now();
        pool.run(buffer.len() / PART, &|part, _| {
            sum.fetch_add(read_all(&buffer[part * PART..(part + 1) * PART]), Ordering::Relaxed);
        });
        let seconds = begun.elapsed().as_secs_f64();
        std::hint::black_box(sum.into_inner());
        seconds
    }
}

fn run(model: &mut impl Executor, blocks: &[BlockId], start: usize, tokens: usize) -> Result<(), EngineError> {
    let token = |position: usize| u32::try_from(position * 7919 % 1000).unwrap_or(0);
    let piece = Piece {
        tokens: (start..start + tokens).map(token).collect(),
        start,
        blocks: blocks[..(start + tokens).div_ceil(KV_BLOCK)].to_vec(),
        wanted: Wanted::Logits,
    };
    let logits = model.run(&[piece])?;
    match logits.first() {
        Some(Some(logits)) if logits.iter().all(|logit| logit.is_finite()) => Ok(()),
        _ => Err(EngineError::NotANumber),
    }
}

/// All weights but an embedding that is only looked up, and the keys and values of `seen` positions.
fn bytes_per_token(spec: &ModelSpec, options: LoadOptions, seen: usize) -> Result<u64, EngineError> {
    let ledger = Arc::new(Ledger::default());
    let mut dry = DryDevice::new(ledger.clone(), 1);
    if spec.head.is_some() {
        let source = &spec.embedding;
        let rows = NoiseRows {
            outputs: source.outputs(),
            inputs: source.inputs(),
            seed: 0,
        };
        crate::device::Device::matrix(&mut dry, &rows, None, options.format)?;
    }
    let looked_up = ledger.weights();
    Transformer::load(spec, &mut Noise, dry, options)?;
    let cache = ledger.block() / KV_BLOCK * seen;
    Ok((ledger.weights() - 2 * looked_up + cache) as u64)
}

/// A checkpoint of random numbers.
struct Noise;

struct NoiseRows {
    outputs: usize,
    inputs: usize,
    seed: u64,
}

impl MatrixRows for NoiseRows {
    fn outputs(&self) -> usize {
        self.outputs
    }

    fn inputs(&self) -> usize {
        self.inputs
    }

    fn read(&self, first: usize, rows: &mut [f32]) -> Result<(), EngineError> {
        // Small enough that sums over a row stay near 1.
        let scale = 1.7 / (self.inputs as f32).sqrt();
        let mut state = (self.seed ^ first as u64).wrapping_mul(0x9e37_79b9_7f4a_7c15) | 1;
        for number in rows {
            state ^= state << 13;
            state ^= state >> 7;
            state ^= state << 17;
            *number = ((state >> 40) as f32 / (1 << 23) as f32 - 1.0) * scale;
        }
        Ok(())
    }
}

impl Checkpoint for Noise {
    fn matrix(&mut self, source: &Source) -> Result<Box<dyn MatrixRows + '_>, EngineError> {
        let bytes = source.parts.iter().flat_map(|part| part.tensor.bytes());
        Ok(Box::new(NoiseRows {
            outputs: source.outputs(),
            inputs: source.inputs(),
            seed: bytes.fold(7, |seed, byte| seed.wrapping_mul(31).wrapping_add(u64::from(byte))),
        }))
    }

    fn pass_over(&mut self, _tensor: &str) {}
}
