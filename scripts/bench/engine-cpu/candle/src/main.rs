//! Measures candle on a shape of Qwen3: f32 and bf16 with random weights, q8 and q4 from the GGUF files that
//! `llama_cpp_speed.py` writes.
//!
//! `candle-speed CONFIG_JSON FOLDER THREADS PROMPT NEW [FORMAT ...]` prints a JSON line for each weight format.

use anyhow::{Context, Result, bail};
use candle_core::quantized::gguf_file;
use candle_core::{DType, Device, Shape, Tensor};
use candle_nn::{Init, VarBuilder, var_builder::SimpleBackend};
use candle_transformers::models::{quantized_qwen3, qwen3};
use std::path::{Path, PathBuf};
use std::time::Instant;

/// Runs of which the best counts.
const RUNS: usize = 3;

fn main() -> Result<()> {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let [config, folder, threads, prompt, new, formats @ ..] = arguments.as_slice() else {
        bail!("usage: candle-speed CONFIG_JSON FOLDER THREADS PROMPT NEW [FORMAT ...]");
    };
    if std::env::var("RAYON_NUM_THREADS").as_deref() != Ok(threads) {
        bail!("candle takes its threads from RAYON_NUM_THREADS: set it to {threads}");
    }
    let (prompt, new) = (prompt.parse()?, new.parse()?);
    let all = ["f32", "bf16", "q8", "q4"].map(String::from);
    for format in if formats.is_empty() { &all[..] } else { formats } {
        let mut model = Model::load(Path::new(config), Path::new(folder), format)?;
        let (mut prefill, mut decode) = (0_f64, 0_f64);
        for _ in 0..RUNS {
            model.clear();
            model.run(0, 1)?; // touches the weights
            model.clear();
            let begun = Instant::now();
            model.run(0, prompt)?;
            prefill = prefill.max(prompt as f64 / begun.elapsed().as_secs_f64());
            let begun = Instant::now();
            for place in 0..new {
                model.run(prompt + place, 1)?;
            }
            decode = decode.max(new as f64 / begun.elapsed().as_secs_f64());
        }
        println!(r#"{{"engine":"candle","format":"{format}","prefill":{prefill:.2},"decode":{decode:.2}}}"#);
    }
    Ok(())
}

enum Model {
    Plain(qwen3::ModelForCausalLM),
    Quantized(quantized_qwen3::ModelWeights),
}

impl Model {
    fn load(config: &Path, folder: &Path, format: &str) -> Result<Self> {
        let dtype = match format {
            "f32" => DType::F32,
            "bf16" => DType::BF16,
            "q8" | "q4" => return Self::quantized(config, folder, format),
            other => bail!("{other} is no weight format"),
        };
        let config: qwen3::Config = serde_json::from_slice(&std::fs::read(config)?)?;
        let random = VarBuilder::from_backend(Box::new(Random), dtype, Device::Cpu);
        Ok(Self::Plain(qwen3::ModelForCausalLM::new(&config, random)?))
    }

    fn quantized(config: &Path, folder: &Path, format: &str) -> Result<Self> {
        let stem = config.file_stem().context("the configuration has no name")?.to_string_lossy();
        let path: PathBuf = folder.join(format!("{stem}-{format}.gguf"));
        let mut file = std::fs::File::open(&path)
            .with_context(|| format!("cannot open {}: llama_cpp_speed.py writes it", path.display()))?;
        let content = gguf_file::Content::read(&mut file)?;
        Ok(Self::Quantized(quantized_qwen3::ModelWeights::from_gguf(content, &mut file, &Device::Cpu)?))
    }

    fn clear(&mut self) {
        match self {
            Self::Plain(model) => model.clear_kv_cache(),
            Self::Quantized(model) => model.clear_kv_cache(),
        }
    }

    /// Runs tokens; logits of the last one.
    fn run(&mut self, first: usize, count: usize) -> Result<()> {
        let tokens: Vec<u32> = (first..first + count).map(|place| (place * 7919 % 1000) as u32).collect();
        let input = Tensor::new(tokens, &Device::Cpu)?.unsqueeze(0)?;
        let logits = match self {
            Self::Plain(model) => model.forward(&input, first)?,
            Self::Quantized(model) => model.forward(&input, first)?,
        };
        // The result is read, as a sampler would.
        logits.flatten_all()?.to_dtype(DType::F32)?.to_vec1::<f32>()?;
        Ok(())
    }
}

/// Weights out of thin air.
struct Random;

impl SimpleBackend for Random {
    fn get(&self, shape: Shape, _: &str, _: Init, dtype: DType, device: &Device) -> candle_core::Result<Tensor> {
        if shape.rank() == 1 {
            return Tensor::ones(shape, dtype, device);
        }
        let deviation = 1.0 / (shape.dims()[1] as f32).sqrt();
        Tensor::randn(0_f32, deviation, shape, device)?.to_dtype(dtype)
    }

    fn get_unchecked(&self, name: &str, _: DType, _: &Device) -> candle_core::Result<Tensor> {
        candle_core::bail!("{name} is asked for without a shape")
    }

    fn contains_tensor(&self, _: &str) -> bool {
        true
    }
}
