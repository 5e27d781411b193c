//! What an operator may set.

use crate::device::WeightFormat;
use crate::limits;
use serde::{Deserialize, Serialize};
use std::num::NonZeroUsize;
use std::time::Duration;

/// What computes.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Default, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
#[non_exhaustive]
pub enum ComputeDevice {
    /// This machine's processors, with our own kernels.
    #[default]
    Cpu,
    /// The first NVIDIA GPU, with our own kernels. Only in a build with the feature `cuda`.
    Cuda,
    /// Burn's plain arithmetic on one processor: slow; what the others are compared with. Weights are rounded to their
    /// format and kept as f32.
    Reference,
}

impl ComputeDevice {
    /// As options and manifests write it.
    pub fn name(self) -> &'static str {
        match self {
            Self::Cpu => "cpu",
            Self::Cuda => "cuda",
            Self::Reference => "reference",
        }
    }
}

/// Bounds of one engine. All have defaults.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct EngineOptions {
    /// Sequences that run side by side.
    pub max_num_seqs: usize,
    /// Sequences that wait for a place; one more is refused.
    pub max_waiting: usize,
    /// Positions of one sequence, at most what the model was made for.
    pub max_model_len: Option<usize>,
    /// Positions of all running sequences together: the memory of the cache.
    pub max_kv_tokens: usize,
    /// Tokens of one step, prompts and answers together. More makes prompts faster and neighbours' answers slower.
    pub max_step_tokens: usize,
    /// How long a request may wait for its first step; then it is refused as [`crate::EngineError::Overloaded`].
    pub max_queue_age: Duration,
    /// What computes.
    pub device: ComputeDevice,
    /// Parts that the model is cut into, each on a device of its own (tensor parallelism). On the CPU they share the
    /// threads out. Another number gives answers from other roundings: it is part of the model's card.
    pub ranks: NonZeroUsize,
    /// How weights are kept. Weights that were packed ahead of time stay what they are, unless this asks for yet another
    /// format than the default: then they are refused.
    pub weight_format: WeightFormat,
    /// Threads that compute, of all ranks together; `None`: as many as this process may use. A rank has one at least.
    pub threads: Option<NonZeroUsize>,
    /// Whether each thread but the engine's own stays on one processor. Good where nothing else runs.
    pub pin_threads: bool,
}

impl Default for EngineOptions {
    fn default() -> Self {
        Self {
            max_num_seqs: limits::DEFAULT_MAX_NUM_SEQS,
            max_waiting: limits::DEFAULT_MAX_WAITING,
            max_model_len: None,
            max_kv_tokens: limits::DEFAULT_MAX_KV_TOKENS,
            max_step_tokens: limits::DEFAULT_MAX_STEP_TOKENS,
            max_queue_age: limits::DEFAULT_MAX_QUEUE_AGE,
            device: ComputeDevice::default(),
            ranks: NonZeroUsize::MIN,
            weight_format: WeightFormat::default(),
            threads: None,
            pin_threads: false,
        }
    }
}

impl EngineOptions {
    /// How many threads compute.
    pub(crate) fn thread_count(&self) -> usize {
        let possible = || std::thread::available_parallelism().map_or(1, NonZeroUsize::get);
        self.threads.map_or_else(possible, NonZeroUsize::get)
    }

    /// How many threads compute for each rank.
    pub(crate) fn threads_of_rank(&self) -> usize {
        (self.thread_count() / self.ranks).max(1)
    }

    /// Tokens of one step: however many answers go on, a block of a prompt has room beside them.
    pub(crate) fn step_tokens(&self) -> usize {
        self.max_step_tokens.max(self.max_num_seqs + limits::KV_BLOCK)
    }
}
