//! Prints how fast matrices are multiplied: decode (1 token) against the read bandwidth, prefill against the peak of
//! multiply-adds, both measured in the same run. `cargo bench -p cocoon-engine --bench matrix [-- THREADS]`.
#![allow(clippy::print_stdout, reason = "the result goes to stdout")]

use cocoon_engine::{WeightFormat, speed};

/// The matrices of a Qwen3-0.6B layer and of its head.
const MATRICES: [(&str, usize, usize); 4] = [
    ("qkv", 4096, 1024),
    ("gate_up", 6144, 1024),
    ("down", 1024, 3072),
    ("head", 151_936, 1024),
];

/// More than any cache holds.
const MEMORY: usize = 512 * 1024 * 1024;

fn main() -> Result<(), Box<dyn std::error::Error>> {
    // Cargo passes `--bench`.
    let threads = std::env::args().skip(1).find(|argument| !argument.starts_with('-'));
    let threads = match threads {
        Some(threads) => threads.parse()?,
        None => std::thread::available_parallelism()?.get(),
    };
    println!(
        "{threads} threads, multiply-add peak {:.1} GFLOP/s",
        speed::multiply_add_peak(threads) / 1e9
    );
    for format in WeightFormat::ALL {
        for (name, outputs, inputs) in MATRICES {
            // Measured again each time: other work on the machine comes and goes.
            let bandwidth = speed::read_bandwidth(threads);
            let shape = speed::ProductShape::new(outputs, inputs, 1);
            let (time, bytes) = speed::product(shape, format, threads, MEMORY)?;
            let rate = bytes as f64 / time.as_secs_f64();
            println!(
                "{format:<5} {name:<8} decode  {:6.1} GB/s of {:5.1}, {:4.2}",
                rate / 1e9,
                bandwidth / 1e9,
                rate / bandwidth
            );
        }
        for (name, outputs, inputs) in &MATRICES[..3] {
            let peak = speed::multiply_add_peak(threads);
            let shape = speed::ProductShape::new(*outputs, *inputs, 128);
            let (time, _) = speed::product(shape, format, threads, 0)?;
            let rate = shape.operations() / time.as_secs_f64();
            println!(
                "{format:<5} {name:<8} prefill {:6.1} GFLOP/s of {:5.1}, {:4.2}",
                rate / 1e9,
                peak / 1e9,
                rate / peak
            );
        }
    }
    Ok(())
}
