//! Prints, as JSON lines, what a step of decoding asks of a GPU, how fast it should then be, and in a build with the
//! feature `cuda` how fast it is.
//!
//! `engine_cuda predict|measure CONFIG_JSON PROMPT NEW FORMAT BATCH ...`; called by `scripts/bench/engine-cuda/run`.
#![allow(clippy::print_stdout, reason = "the result goes to stdout")]

use cocoon_engine::speed::{StepCosts, step_costs};
use cocoon_engine::{EngineError, WeightFormat};

/// What is assumed of the GPU in a prediction: an H200.
mod assumed {
    /// Bytes per second that a copy reads and writes: measured on one.
    pub(crate) const BANDWIDTH: f64 = 4.3e12;
    /// Which part of it kernels reach that read weights or the cache: theirs are staged without being ahead of the
    /// arithmetic.
    pub(crate) const PART_OF_BANDWIDTH: f64 = 0.5;
    /// Multiplications with additions per second in tiles of bf16: 780e12 operations were measured in the best products,
    /// and 16 by 16 tiles through shared memory reach a quarter of that.
    pub(crate) const MULTIPLY_ADDS: f64 = 780e12 / 2.0 / 4.0;
    /// Seconds from one launch to the next: the larger of what the host needs to make one and the device to begin one.
    pub(crate) const LAUNCH: f64 = 6e-6;
    /// Seconds until the host has the tokens and begins the next step.
    pub(crate) const WAIT: f64 = 40e-6;
}

/// Seconds of a step, if nothing overlaps but multiplying and reading.
fn seconds(costs: &StepCosts) -> f64 {
    let bytes = (costs.weights + costs.cache + costs.tensors) as f64;
    let reading = bytes / (assumed::BANDWIDTH * assumed::PART_OF_BANDWIDTH);
    let multiplying = costs.multiply_adds as f64 / assumed::MULTIPLY_ADDS;
    costs.launches as f64 * assumed::LAUNCH + costs.waits as f64 * assumed::WAIT + reading.max(multiplying)
}

fn predict(config: &str, format: WeightFormat, batch: usize, prompt: usize, new: usize) -> Result<(), EngineError> {
    let costs = step_costs(config, format, batch, prompt + new / 2)?;
    println!(
        r#"{{"predicted":true,"format":"{format}","batch":{batch},"launches":{},"weights":{},"cache":{},"tensors":{},"bytes_per_token":{},"multiply_adds":{},"bound_tokens_s":{:.0},"decode":{:.0}}}"#,
        costs.launches,
        costs.weights,
        costs.cache,
        costs.tensors,
        (costs.weights + costs.cache + costs.tensors) / batch as u64,
        costs.multiply_adds,
        batch as f64 * assumed::BANDWIDTH / (costs.weights + costs.cache) as f64,
        batch as f64 / seconds(&costs),
    );
    Ok(())
}

#[cfg(feature = "cuda")]
fn measure(config: &str, format: WeightFormat, batch: usize, prompt: usize, new: usize) -> Result<(), EngineError> {
    let speed = cocoon_engine::speed::measure_cuda(config, format, batch, prompt, new)?;
    let costs = step_costs(config, format, batch, prompt + new / 2)?;
    println!(
        r#"{{"engine":"cocoon","format":"{format}","batch":{batch},"prefill":{:.1},"decode":{:.1},"bytes_s":{:.0}}}"#,
        speed.prefill,
        speed.decode,
        speed.decode / batch as f64 * (costs.weights + costs.cache) as f64,
    );
    Ok(())
}

#[cfg(not(feature = "cuda"))]
fn measure(_: &str, _: WeightFormat, _: usize, _: usize, _: usize) -> Result<(), EngineError> {
    Err(EngineError::NoDevice {
        device: "cuda",
        reason: "this program was built without the feature `cuda`",
    })
}

fn main() -> Result<(), Box<dyn std::error::Error>> {
    const USAGE: &str = "usage: engine_cuda predict|measure CONFIG_JSON PROMPT NEW FORMAT BATCH ...";
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let [what, config, prompt, new, format, batches @ ..] = arguments.as_slice() else {
        return Err(USAGE.into());
    };
    let config = std::fs::read_to_string(config)?;
    let (prompt, new) = (prompt.parse()?, new.parse()?);
    let format = WeightFormat::parse(format).ok_or("no such weight format")?;
    for batch in batches {
        let batch = batch.parse()?;
        match what.as_str() {
            "predict" => predict(&config, format, batch, prompt, new)?,
            "measure" => measure(&config, format, batch, prompt, new)?,
            _ => return Err(USAGE.into()),
        }
    }
    Ok(())
}
