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
    /// Tensors that some files have and nobody reads; `.*` at the end stands for all that begin so.
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
    /// All heads look at one narrow latent.
    Latent(LatentSpec),
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

/// Latent attention. Rows of `query` and `key_value` are ordered so that the columns that turn lie behind the others and
/// turn in the way of [`crate::device::RopeHeads`].
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct LatentSpec {
    pub(crate) heads: usize,
    /// Width of the latent that keys and values are made from.
    pub(crate) latent_dim: usize,
    /// Columns of a head's queries and keys without a position.
    pub(crate) nope_dim: usize,
    /// Columns of a head's queries, and of the one key for all heads, that are turned.
    pub(crate) rope_dim: usize,
    /// Gives the first kind of columns of all heads, then the second.
    pub(crate) query: LatentQuerySpec,
    /// [latent + turned, hidden].
    pub(crate) key_value: LinearSpec,
    /// Of the latent.
    pub(crate) key_value_norm: NormSpec,
    /// For each head [latent, nope]: the transposed matrix that would make keys from the latent.
    pub(crate) key_up: Vec<LinearSpec>,
    /// For each head [value, latent].
    pub(crate) value_up: Vec<LinearSpec>,
    pub(crate) output: LinearSpec,
    /// Index in [`ModelSpec::ropes`].
    pub(crate) rope: usize,
    /// Of scores.
    pub(crate) scale: f32,
}

/// How queries are made.
#[derive(Debug, Clone, PartialEq)]
pub(crate) enum LatentQuerySpec {
    /// In one step.
    Direct(LinearSpec),
    /// Through a narrow middle.
    Narrow {
        down: LinearSpec,
        norm: NormSpec,
        up: LinearSpec,
    },
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
    /// A column with one number for each expert, added to its score where experts are chosen.
    pub(crate) correction: Option<Source>,
    /// All with the same activation.
    pub(crate) experts: Vec<GatedSpec>,
    /// One through which all tokens go besides.
    pub(crate) shared: Option<GatedSpec>,
}

/// How the router's scores become weights.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(crate) enum Routing {
    /// Softmax over all experts, then the best; if `normed`, their weights are divided by their sum.
    SoftmaxThenBest {
        /// Whether the weights sum to 1.
        normed: bool,
    },
    /// The best, then softmax over these (GPT-OSS).
    BestThenSoftmax,
    /// The best of the best groups (DeepSeek).
    Limited(LimitedRouting),
}

/// Experts lie in groups of the same size; only those of some groups can be chosen.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(crate) struct LimitedRouting {
    pub(crate) scores: ExpertScores,
    pub(crate) groups: usize,
    /// Groups that a token's experts may come from.
    pub(crate) groups_per_token: usize,
    /// Whether weights are divided by their sum.
    pub(crate) normed: bool,
    /// Of the weights, at last.
    pub(crate) factor: f32,
}

/// What is made of the router's numbers, and what a group is worth.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum ExpertScores {
    /// Softmax over all experts; a group is worth its best one.
    Softmax,
    /// Each by itself; a group is worth the sum of its best two.
    Sigmoid,
}
