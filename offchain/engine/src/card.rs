//! What a model says about itself.

use crate::options::ComputeDevice;
use crate::sampling::Sampling;
use crate::text::reasoning::ReasoningFormat;
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
    /// `cocoon-engine/<version>`.
    pub engine: String,
    /// What computes; roundings depend on it.
    pub device: ComputeDevice,
    /// Parts that the model is cut into; roundings depend on their number.
    pub ranks: NonZeroUsize,
    /// Size of the vocabulary.
    pub vocab_size: usize,
    /// Positions of one sequence.
    pub max_model_len: usize,
    /// Numbers that the model has learned.
    pub parameters: u64,
    /// How reasoning is told from answers, if it is.
    pub reasoning: Option<ReasoningFormat>,
    /// How it writes calls of tools, if it can.
    pub tools: Option<ToolFormat>,
    /// What a request that says nothing about sampling gets.
    pub sampling_defaults: Sampling,
    /// Hash of the chat template; of nothing if there is none.
    pub template: FileHash,
}

impl ModelCard {
    /// The name and version of this engine, as manifests carry it.
    pub(crate) fn engine_name() -> String {
        format!("cocoon-engine/{}", env!("CARGO_PKG_VERSION"))
    }

    pub(crate) fn template_hash(template: Option<&ChatTemplate>) -> FileHash {
        FileHash::of(template.map_or("", ChatTemplate::source).as_bytes())
    }
}
