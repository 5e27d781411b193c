//! What the families that descend from Llama have in common: names of tensors and the usual fields.

use crate::device::Activation;
use crate::error::EngineError;
use crate::limits::MAX_LAYERS;
use crate::model::config::{Config, token_ids};
use crate::model::rope::RopeSpec;
use crate::model::source::{Part, Source};
use crate::model::spec::{AttentionSpec, FeedSpec, GatedSpec, GroupedSpec, LayerSpec, LinearSpec, ModelSpec, NormSpec};

/// The usual dimensions.
pub(super) struct Decoder {
    pub(super) hidden: usize,
    pub(super) layers: usize,
    pub(super) heads: usize,
    pub(super) kv_heads: usize,
    pub(super) head_dim: usize,
    pub(super) vocab_size: usize,
    pub(super) max_positions: usize,
    pub(super) epsilon: f32,
    pub(super) activation: Activation,
    /// Whether norms have their scale less 1.
    pub(super) norms_plus_one: bool,
}

/// What differs between the attentions of the families.
pub(super) struct Attention {
    /// Of queries, keys and values.
    pub(super) bias: bool,
    pub(super) output_bias: bool,
    /// Whether heads of queries and keys are normed.
    pub(super) head_norms: bool,
    pub(super) window: Option<usize>,
    /// Index of the layer's rope.
    pub(super) rope: usize,
}

impl Decoder {
    /// Reads the usual fields. `head_dim` is what the family takes when the file does not say; `None` for the hidden
    /// size shared out among the heads.
    pub(super) fn read(config: &mut Config, head_dim: Option<usize>) -> Result<Self, EngineError> {
        let hidden = config.dimension("hidden_size")?;
        let heads = config.dimension("num_attention_heads")?;
        let decoder = Self {
            hidden,
            heads,
            layers: config.dimension("num_hidden_layers")?,
            kv_heads: config.dimension_or("num_key_value_heads", Some(heads))?,
            head_dim: config.dimension_or("head_dim", head_dim.or(Some(hidden / heads)))?,
            vocab_size: config.dimension("vocab_size")?,
            max_positions: config.dimension("max_position_embeddings")?,
            epsilon: config.number("rms_norm_eps", Some(1e-6))? as f32,
            activation: Activation::Silu,
            norms_plus_one: false,
        };
        if decoder.layers > MAX_LAYERS {
            return Err(Config::missing("num_hidden_layers"));
        }
        if !decoder.heads.is_multiple_of(decoder.kv_heads) {
            return Err(Config::missing("num_key_value_heads"));
        }
        if !decoder.head_dim.is_multiple_of(2) {
            return Err(Config::missing("head_dim"));
        }
        Ok(decoder)
    }

    /// The name of something in a layer.
    pub(super) fn name(layer: usize, part: &str) -> String {
        format!("model.layers.{layer}.{part}")
    }

    /// The norm `name.weight`.
    pub(super) fn norm(&self, name: &str, size: usize) -> NormSpec {
        NormSpec {
            scale: Part::new(format!("{name}.weight"), &[size]).into(),
            epsilon: self.epsilon,
            plus_one: self.norms_plus_one,
        }
    }

    /// `name.weight` for each name, one below the other, and their biases.
    pub(super) fn linear(names: &[(String, usize)], inputs: usize, bias: bool) -> LinearSpec {
        let weight = |(name, outputs): &(String, usize)| Part::new(format!("{name}.weight"), &[*outputs, inputs]);
        let biases = |(name, outputs): &(String, usize)| Part::new(format!("{name}.bias"), &[*outputs]);
        LinearSpec {
            weight: Source::stacked(names.iter().map(weight)),
            bias: bias.then(|| Source::stacked(names.iter().map(biases))),
        }
    }

    /// Grouped attention under `self_attn`.
    pub(super) fn attention(&self, layer: usize, traits: &Attention) -> GroupedSpec {
        let name = |part: &str| Self::name(layer, &format!("self_attn.{part}"));
        let (wide, narrow) = (self.heads * self.head_dim, self.kv_heads * self.head_dim);
        let rows = [
            (name("q_proj"), wide),
            (name("k_proj"), narrow),
            (name("v_proj"), narrow),
        ];
        let head_norm = |part| traits.head_norms.then(|| self.norm(&name(part), self.head_dim));
        GroupedSpec {
            heads: self.heads,
            kv_heads: self.kv_heads,
            head_dim: self.head_dim,
            query_key_value: Self::linear(&rows, self.hidden, traits.bias),
            output: Self::linear(&[(name("o_proj"), self.hidden)], wide, traits.output_bias),
            query_norm: head_norm("q_norm"),
            key_norm: head_norm("k_norm"),
            rope: Some(traits.rope),
            scale: 1.0 / (self.head_dim as f32).sqrt(),
            window: traits.window,
            softcap: None,
            sinks: None,
        }
    }

    /// A gated feed-forward of `width` under `name`.
    pub(super) fn gated(&self, name: &str, width: usize, bias: bool) -> GatedSpec {
        let rows = [(format!("{name}.gate_proj"), width), (format!("{name}.up_proj"), width)];
        GatedSpec {
            gate_up: Self::linear(&rows, self.hidden, bias),
            down: Self::linear(&[(format!("{name}.down_proj"), self.hidden)], width, bias),
            activation: self.activation,
        }
    }

    /// A layer with a norm before attention and one before the feed-forward.
    pub(super) fn layer(&self, layer: usize, attention: GroupedSpec, feed: FeedSpec) -> LayerSpec {
        LayerSpec {
            attention_norm: self.norm(&Self::name(layer, "input_layernorm"), self.hidden),
            attention: AttentionSpec::Grouped(attention),
            after_attention: None,
            feed_norm: self.norm(&Self::name(layer, "post_attention_layernorm"), self.hidden),
            feed,
            after_feed: None,
        }
    }

    /// The model around the layers.
    pub(super) fn model(
        &self,
        config: &mut Config,
        ropes: Vec<RopeSpec>,
        layers: Vec<LayerSpec>,
        tied: bool,
    ) -> Result<ModelSpec, EngineError> {
        const HEAD: &str = "lm_head.weight";
        let matrix = |name: &str| Source::from(Part::new(name, &[self.vocab_size, self.hidden]));
        let tied = config.flag("tie_word_embeddings", tied)?;
        Ok(ModelSpec {
            architecture: config.text("model_type").unwrap_or_default(),
            vocab_size: self.vocab_size,
            max_positions: self.max_positions,
            eos: token_ids(config.get("eos_token_id")),
            embedding: matrix("model.embed_tokens.weight"),
            embedding_scale: None,
            ropes,
            layers,
            norm: self.norm("model.norm", self.hidden),
            head: (!tied).then(|| matrix(HEAD)),
            // Some files store the tied matrix twice.
            passed_over: if tied { vec![HEAD.to_owned()] } else { Vec::new() },
        })
    }
}

/// The window of each layer, by `layer_types`, or by `is_sliding` in files that lack it.
pub(super) fn windows(
    config: &mut Config,
    layers: usize,
    window: Option<usize>,
    is_sliding: impl Fn(usize) -> bool,
) -> Result<Vec<Option<usize>>, EngineError> {
    let Some(kinds) = config.texts("layer_types")? else {
        return Ok((0..layers).map(|layer| window.filter(|_| is_sliding(layer))).collect());
    };
    if kinds.len() != layers {
        return Err(config.unsupported("layer_types"));
    }
    let kinds = kinds.iter().map(|kind| match (kind.as_str(), window) {
        ("full_attention", _) => Ok(None),
        ("sliding_attention", Some(window)) => Ok(Some(window)),
        _ => Err(config.unsupported("layer_types")),
    });
    kinds.collect()
}

/// The windows of Qwen: with `use_sliding_window`, layers from `max_window_layers` on.
pub(super) fn qwen_windows(config: &mut Config, layers: usize) -> Result<Vec<Option<usize>>, EngineError> {
    config.skip("sliding_window"); // without the switch its size is never used
    config.skip("max_window_layers");
    if !config.flag("use_sliding_window", false)? {
        return windows(config, layers, None, |_| false);
    }
    let window = config.dimension_or("sliding_window", Some(4096))?;
    let first = config.number("max_window_layers", Some(28.0))?;
    windows(config, layers, Some(window), |layer| layer as f64 >= first)
}
