//! `cocoon model check`: what a folder is and what of it fits.

use std::path::PathBuf;

use cocoon_engine::{EngineOptions, MemoryPlan, ModelReport, inspect_model};
use serde::Serialize;

use crate::args::model::CheckArgs;
use crate::failure::{Exit, Failure, from_engine};
use crate::output::Output;
use crate::progress::Portion;

#[derive(Serialize)]
struct Checked {
    folder: PathBuf,
    architecture: String,
    parameters: u64,
    vocabulary: usize,
    max_model_len: usize,
    /// Vectors of texts instead of answers.
    embeds: bool,
    reasons: bool,
    /// How calls of tools are written.
    tools: Option<String>,
    /// The format that the weights were packed in.
    packed: Option<&'static str>,
    files: Vec<PathBuf>,
    plans: Vec<Plan>,
    /// Whether the format that was asked for fits, or any.
    fits: bool,
}

#[derive(Serialize)]
struct Plan {
    weights: &'static str,
    fits: bool,
    weight_bytes: u64,
    cache_bytes: u64,
    cache_tokens: u64,
    step_bytes: u64,
    total_bytes: u64,
    /// None if the system does not say.
    available_bytes: Option<u64>,
    /// Positions of the cache that would fit.
    fitting_cache_tokens: Option<u64>,
    #[serde(skip)]
    text: String,
}

impl From<&MemoryPlan> for Plan {
    fn from(plan: &MemoryPlan) -> Self {
        Self {
            weights: plan.weight_format.name(),
            fits: plan.fits(),
            weight_bytes: plan.weights,
            cache_bytes: plan.cache(),
            cache_tokens: plan.kv_tokens,
            step_bytes: plan.activations,
            total_bytes: plan.total(),
            available_bytes: plan.available,
            fitting_cache_tokens: plan.fitting_kv_tokens(),
            text: plan.to_string(),
        }
    }
}

/// Says what a folder is.
pub(crate) fn check(args: CheckArgs, output: Output) -> Result<Exit, Failure> {
    let mut options = EngineOptions::default();
    options.max_model_len = args.max_model_len;
    options.max_kv_tokens = args.max_kv_tokens.unwrap_or(options.max_kv_tokens);
    options.weight_format = args.weights.unwrap_or(options.weight_format);
    let portion = Portion::new(output, "checking weights");
    let report = inspect_model(&args.folder, &options, &mut |progress| {
        portion.at(progress.done, progress.total)
    });
    drop(portion);
    let ModelReport {
        card,
        embeds,
        packed,
        plans,
        files,
        ..
    } = report.map_err(from_engine)?;
    let plans: Vec<Plan> = plans
        .iter()
        .filter(|plan| packed.is_some() || args.weights.is_none_or(|wanted| wanted == plan.weight_format))
        .map(Plan::from)
        .collect();
    let checked = Checked {
        folder: args.folder,
        architecture: card.architecture,
        parameters: card.parameters,
        vocabulary: card.vocab_size,
        max_model_len: card.max_model_len,
        embeds,
        reasons: card.reasoning.is_some(),
        tools: card.tools.map(|tools| tools.name().to_owned()),
        packed: packed.map(|format| format.name()),
        files,
        fits: plans.iter().any(|plan| plan.fits),
        plans,
    };
    output.result(&checked, Checked::text)?;
    Ok(if checked.fits { Exit::Done } else { Exit::Negative })
}

impl Checked {
    fn text(&self) -> String {
        let gives = match (self.embeds, self.reasons) {
            (true, _) => "embeddings".to_owned(),
            (false, reasons) => {
                let tools = match &self.tools {
                    Some(tools) => format!("tools ({tools})"),
                    None => "no tools".to_owned(),
                };
                format!(
                    "answers, {}, {tools}",
                    if reasons { "reasoning" } else { "no reasoning" }
                )
            }
        };
        let mut lines = vec![
            format!("{} with {} parameters", self.architecture, self.parameters),
            format!("  gives    {gives}"),
            format!("  context  {} tokens of {}", self.max_model_len, self.vocabulary),
            format!(
                "  weights  {}",
                self.packed
                    .map_or("as published".to_owned(), |format| format!("packed in {format}"))
            ),
        ];
        lines.extend(self.plans.iter().map(|plan| {
            let fits = if plan.fits { "fits" } else { "does not fit" };
            format!("  {:<7}  {fits}: {}", plan.weights, plan.text)
        }));
        lines.join("\n")
    }
}
