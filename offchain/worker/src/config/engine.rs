//! Options of the engine of this program.

use cocoon_engine::{ComputeDevice, EngineOptions, WeightFormat};
use serde::{Deserialize, Serialize};
use std::num::NonZeroUsize;
use std::path::PathBuf;
use std::time::Duration;

/// A model and how it is run. What is absent has the engine's default.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct EngineConfig {
    /// Hugging Face folder of the model.
    pub folder: PathBuf,
    /// Whether the folder must give the archive whose hash the model's name ends with (`cocoon model build --archive`).
    /// The whole folder is read for it before the model is loaded. This finds mistakes, and no host that changes its disk
    /// between two reads: against that the folder must be such an archive, opened by the kernel with this hash, and then
    /// this is not needed.
    #[serde(default)]
    pub verify_name: bool,
    /// What computes: `cpu`, or `cuda`, the first NVIDIA GPU, in a build with the feature `cuda`; `cpu` if absent.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub device: Option<ComputeDevice>,
    /// How the weights are kept: `f32`, `bf16`, `q8` or `q4`. It changes answers, so it is in the model's manifest.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub weight_format: Option<WeightFormat>,
    /// Parts that the model is cut into, each computed on a device of its own (tensor parallelism); 1 if absent. On the CPU
    /// they share the threads out. It changes roundings, so it is in the model's manifest.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub ranks: Option<NonZeroUsize>,
    /// Threads that compute; as many as this process may use if absent.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub threads: Option<NonZeroUsize>,
    /// Whether each of them stays on one processor: good on a machine that does nothing else.
    #[serde(default)]
    pub pin_threads: bool,
    /// Sequences that run side by side.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub max_num_seqs: Option<usize>,
    /// Positions of one sequence; the model's own bound if absent.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub max_model_len: Option<usize>,
    /// Positions of all running sequences.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub max_kv_tokens: Option<usize>,
    /// Sequences that wait for a place; one more is refused.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub max_waiting: Option<usize>,
    /// Tokens of one step: more makes prompts faster and the answers beside them slower.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub max_step_tokens: Option<usize>,
    /// Seconds that a request may wait for its first step; then its proxy may try another worker.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub max_queue_seconds: Option<u64>,
}

impl EngineConfig {
    /// A model with the engine's defaults.
    pub fn new(folder: PathBuf) -> Self {
        Self {
            folder,
            verify_name: false,
            device: None,
            weight_format: None,
            ranks: None,
            threads: None,
            pin_threads: false,
            max_num_seqs: None,
            max_model_len: None,
            max_kv_tokens: None,
            max_waiting: None,
            max_step_tokens: None,
            max_queue_seconds: None,
        }
    }

    /// In the engine's words.
    pub(crate) fn options(&self) -> EngineOptions {
        let mut options = EngineOptions::default();
        options.device = self.device.unwrap_or(options.device);
        options.weight_format = self.weight_format.unwrap_or(options.weight_format);
        options.ranks = self.ranks.unwrap_or(options.ranks);
        options.threads = self.threads;
        options.pin_threads = self.pin_threads;
        options.max_num_seqs = self.max_num_seqs.unwrap_or(options.max_num_seqs);
        options.max_model_len = self.max_model_len;
        options.max_kv_tokens = self.max_kv_tokens.unwrap_or(options.max_kv_tokens);
        options.max_waiting = self.max_waiting.unwrap_or(options.max_waiting);
        options.max_step_tokens = self.max_step_tokens.unwrap_or(options.max_step_tokens);
        options.max_queue_age = self
            .max_queue_seconds
            .map_or(options.max_queue_age, Duration::from_secs);
        options
    }
}
