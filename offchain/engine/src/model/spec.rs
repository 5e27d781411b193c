//! What a model is made of, as data. Every dimension is in numbers (f32), not bytes.

use super::rope::RopeSpec;
use super::source::Source;
use crate::device::Activation;

/// A decoder: embedding, layers, norm, head.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct ModelSpec {
    /// As config.json calls the family.
    pub(crate) architecture: String,
    /// Tokens.
    pub(crate) vocab_size: usize,
    /// Positions that the model was made for.
    pub(crate) max_positions: usize,
    /// Tokens that end an answer; `generation_config.json` has the last word.
    pub(crate) eos: Vec<u32>,
    /// [vocabulary, hidden].
    pub(crate) embedding: Source,
    /// What rows of the embedding are multiplied by.
    pub(crate) embedding_scale: Option<f32>,
    /// Rotary positions, named by their index.
    pub(crate) ropes: Vec<RopeSpec>,
    /// From the first to the last.
    pub(crate) layers: Vec<LayerSpec>,
    /// After the last layer.
    pub(crate) norm: NormSpec,
    /// [vocabulary, hidden]; `None`: the embedding is used.
    pub(crate) head: Option<Source>,
    /// Tensors that some files have and nobody reads.
    pub(crate) passed_over: Vec<String>,
}

/// `x + after(attention(before(x)))`, then the same with the feed-forward.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct LayerSpec {
    pub(crate) attention_norm: NormSpec,
    pub(crate) attention: AttentionSpec,
    /// Of attention's result, before it is added.
    pub(crate) after_attention: Option<NormSpec>,
    pub(crate) feed_norm: NormSpec,
    pub(crate) feed: FeedSpec,
    /// Of the feed-forward's result, before it is added.
    pub(crate) after_feed: Option<NormSpec>,
}

/// Root mean square norm.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct NormSpec {
    pub(crate) scale: Source,
    pub(crate) epsilon: f32,
    /// The checkpoint has the scale less 1.
    pub(crate) plus_one: bool,
}

/// A matrix [outputs, inputs] and a bias.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct LinearSpec {
    pub(crate) weight: Source,
    /// A column as long as there are outputs.
    pub(crate) bias: Option<Source>,
}

impl LinearSpec {
    /// Without a bias.
    pub(crate) fn plain(weight: impl Into<Source>) -> Self {
        Self {
            weight: weight.into(),
            bias: None,
        }
    }
}

/// How tokens look at each other.
#[derive(Debug, Clone, PartialEq)]
pub(crate) enum AttentionSpec {
    /// Query heads in groups, each with one head of keys and values.
    Grouped(GroupedSpec),
}

/// Attention with grouped queries.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct GroupedSpec {
    pub(crate) heads: usize,
    pub(crate) kv_heads: usize,
    /// Of queries, keys and values.
    pub(crate) head_dim: usize,
    /// Rows of the queries, of the keys, of the values.
    pub(crate) query_key_value: LinearSpec,
    pub(crate) output: LinearSpec,
    /// Of every head, before it is turned.
    pub(crate) query_norm: Option<NormSpec>,
    pub(crate) key_norm: Option<NormSpec>,
    /// Index in [`ModelSpec::ropes`]; `None`: positions are not seen.
    pub(crate) rope: Option<usize>,
    /// Of scores.
    pub(crate) scale: f32,
    /// Positions that a token sees, itself included.
    pub(crate) window: Option<usize>,
    /// Of scores.
    pub(crate) softcap: Option<f32>,
    /// A column of one score for each head.
    pub(crate) sinks: Option<Source>,
}

/// What happens to each token for itself.
#[derive(Debug, Clone, PartialEq)]
pub(crate) enum FeedSpec {
    /// One gated feed-forward.
    Dense(GatedSpec),
    /// Some of many.
    Experts(ExpertsSpec),
}

/// `down(activation(gate) * up)`.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct GatedSpec {
    /// Rows of the gate, then of the up projection.
    pub(crate) gate_up: LinearSpec,
    pub(crate) down: LinearSpec,
    pub(crate) activation: Activation,
}

/// A mixture of experts.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct ExpertsSpec {
    /// [experts, hidden].
    pub(crate) router: LinearSpec,
    pub(crate) routing: Routing,
    /// Experts of one token.
    pub(crate) per_token: usize,
    /// All with the same activation.
    pub(crate) experts: Vec<GatedSpec>,
}

/// How the router's scores become weights.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Routing {
    /// Softmax over all experts, then the best; if `normed`, their weights are divided by their sum.
    SoftmaxThenBest {
        /// Whether the weights sum to 1.
        normed: bool,
    },
    /// The best, then softmax over these (GPT-OSS).
    BestThenSoftmax,
}
