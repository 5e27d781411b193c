//! How fast matrices alone are multiplied.

use super::NoiseRows;
use crate::device::{CpuDevice, Device, WeightFormat};
use crate::error::EngineError;
use crate::kernels::Pool;
use crate::kernels::matrix::multiply_adds;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::{Duration, Instant};

/// A product.
#[derive(Debug, Clone, Copy)]
#[non_exhaustive]
pub struct ProductShape {
    /// Rows of the matrix.
    pub outputs: usize,
    /// Columns of the matrix.
    pub inputs: usize,
    /// Rows that are multiplied with it.
    pub tokens: usize,
}

impl ProductShape {
    /// A product of `tokens` rows with a matrix.
    pub fn new(outputs: usize, inputs: usize, tokens: usize) -> Self {
        Self {
            outputs,
            inputs,
            tokens,
        }
    }

    /// Multiplications and additions.
    pub fn operations(&self) -> f64 {
        2.0 * (self.outputs * self.inputs * self.tokens) as f64
    }
}

/// The shortest time of a product, and the bytes of its matrix. Matrices take turns, of which `memory` bytes hold as
/// many as fit, so that they come from memory when that is more than the caches.
pub fn product(
    shape: ProductShape,
    format: WeightFormat,
    threads: usize,
    memory: usize,
) -> Result<(Duration, usize), EngineError> {
    let mut device = CpuDevice::new(threads, false);
    let rows = NoiseRows {
        outputs: shape.outputs,
        inputs: shape.inputs,
        seed: 1,
    };
    let first = device.matrix(&rows, None, format)?;
    let bytes = first.bytes();
    let mut matrices = vec![first];
    while matrices.len() < memory / bytes {
        matrices.push(device.matrix(&rows, None, format)?);
    }
    let numbers: Vec<f32> = (0..shape.tokens * shape.inputs)
        .map(|place| (place % 13) as f32 - 6.0)
        .collect();
    let input = device.tensor(shape.inputs, &numbers);
    let mut best = Duration::MAX;
    for _ in 0..5 {
        let begun = Instant::now();
        for matrix in &matrices {
            std::hint::black_box(device.linear(&input, matrix));
        }
        best = best.min(begun.elapsed() / u32::try_from(matrices.len()).unwrap_or(u32::MAX));
    }
    Ok((best, bytes))
}

/// Multiplications and additions per second that `threads` threads do in f32 when nothing waits for memory.
pub fn multiply_add_peak(threads: usize) -> f64 {
    let (mut pool, done) = (Pool::new(threads, false), AtomicUsize::new(0));
    let passes = (0..5).map(|_| {
        done.store(0, Ordering::Relaxed);
        let begun = Instant::now();
        pool.run(threads, &|_, _| {
            done.fetch_add(multiply_adds(1 << 30), Ordering::Relaxed);
        });
        2.0 * done.load(Ordering::Relaxed) as f64 / begun.elapsed().as_secs_f64()
    });
    passes.fold(0.0, f64::max)
}
