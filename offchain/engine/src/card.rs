//! What a model says about itself.

use crate::sampling::Sampling;
use crate::text::template::ChatTemplate;
use crate::text::tools::ToolFormat;
use cocoon_manifest::FileHash;
use std::num::NonZeroUsize;

/// The facts about a loaded model that others need: to name it, to bound requests, to describe it in a manifest.
#[derive(Debug, Clone, PartialEq)]
#[non_exhaustive]
pub struct ModelCard {
    /// The family, as config.json calls it (`qwen3`).
    pub architecture: String,
    /// Of the arithmetic (`f32`).
    pub precision: &'static str,
    /// `cocoon-engine/<version>`, and ` ranks=<n>` behind it where the model is cut into several.
    pub engine: String,
    /// Size of the vocabulary.
    pub vocab_size: usize,
    /// Positions of one sequence.
    pub max_model_len: usize,
    /// Numbers that the model has learned.
    pub parameters: u64,
    /// Whether `<think>` … `</think>` is counted as reasoning.
    pub reasons: bool,
    /// How it writes calls of tools, if it can.
    pub tools: Option<ToolFormat>,
    /// What a request that says nothing about sampling gets.
    pub sampling_defaults: Sampling,
    /// Hash of the chat template; of nothing if there is none.
    pub template: FileHash,
}

impl ModelCard {
    /// The name and version of this engine, as manifests carry it; with the number of ranks, on which roundings depend.
    pub(crate) fn engine_name(ranks: NonZeroUsize) -> String {
        let engine = format!("cocoon-engine/{}", env!("CARGO_PKG_VERSION"));
        match ranks.get() {
            1 => engine,
            ranks => format!("{engine} ranks={ranks}"),
        }
    }

    pub(crate) fn template_hash(template: Option<&ChatTemplate>) -> FileHash {
        FileHash::of(template.map_or("", ChatTemplate::source).as_bytes())
    }
}
