//! `cocoon model quality`: what a weight format costs.

use std::path::Path;

use cocoon_engine::{EngineOptions, LoadedModel, WeightFormat, load_model_with};
use serde::Serialize;

use crate::args::model::QualityArgs;
use crate::failure::{Exit, Failure, OrFail as _, from_engine};
use crate::output::Output;
use crate::progress::Portion;

/// Positions that both models keep: texts are cut into short windows.
const KV_TOKENS: usize = 4096;

/// Bytes of a text: more would take hours, and its tokens much memory.
const MAX_TEXT_BYTES: u64 = 64 * 1024 * 1024;

#[derive(Serialize)]
struct Measured {
    weights: &'static str,
    tokens: usize,
    perplexity: f64,
    reference_perplexity: f64,
    mean_divergence: f64,
    max_divergence: f64,
    same_choice: f64,
    #[serde(skip)]
    text: String,
}

/// Compares a model with its reference.
pub(crate) fn quality(args: QualityArgs, output: Output) -> Result<Exit, Failure> {
    let doing = format!("cannot read {}", args.text.display());
    let hint = "name a file of plain text, at most 64 MiB";
    let size = std::fs::metadata(&args.text)
        .or_fail(Exit::Configuration, &doing, hint)?
        .len();
    if size > MAX_TEXT_BYTES {
        let error = std::io::Error::from(std::io::ErrorKind::FileTooLarge);
        return Err(error).or_fail(Exit::Configuration, &doing, hint);
    }
    let text = std::fs::read_to_string(&args.text).or_fail(Exit::Configuration, &doing, hint)?;
    let of_reference = args.reference.as_deref().unwrap_or(&args.folder);
    let mut reference = load(of_reference, None, "loading the reference", output)?;
    let mut model = load(&args.folder, args.weights, "loading the model", output)?;
    let portion = Portion::new(output, "comparing");
    let quality = model.quality_with(&mut reference, &text, &mut |progress| {
        portion.at(progress.done, progress.total)
    });
    drop(portion);
    let quality = quality.map_err(from_engine)?;
    let measured = Measured {
        weights: model.card().precision,
        tokens: quality.tokens,
        perplexity: quality.perplexity,
        reference_perplexity: quality.reference_perplexity,
        mean_divergence: quality.mean_divergence,
        max_divergence: quality.max_divergence,
        same_choice: quality.same_choice,
        text: quality.to_string(),
    };
    output.result(&measured, |measured| format!("{}: {}", measured.weights, measured.text))?;
    Ok(Exit::Done)
}

fn load(folder: &Path, weights: Option<WeightFormat>, doing: &str, output: Output) -> Result<LoadedModel, Failure> {
    let mut options = EngineOptions::default();
    options.max_kv_tokens = KV_TOKENS;
    options.weight_format = weights.unwrap_or(options.weight_format);
    let portion = Portion::new(output, doing);
    load_model_with(folder, options, &mut |progress| {
        portion.at(progress.done, progress.total)
    })
    .map_err(from_engine)
}
