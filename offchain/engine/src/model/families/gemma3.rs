//! Gemma 3: norms on both sides, scaled embedding, most layers with a window and a rope of their own. Of the models that
//! see images only the text is read.

use super::decoder::{Attention, Decoder, windows};
use crate::device::Activation;
use crate::error::EngineError;
use crate::model::config::Config;
use crate::model::rope::RopeSpec;
use crate::model::spec::{AttentionSpec, FeedSpec, GroupedSpec, LayerSpec, ModelSpec};
use serde_json::{Map, Value};

/// Places of the ropes in the spec.
const GLOBAL: usize = 0;
const LOCAL: usize = 1;

/// What the text of a model with images is when its file does not say (`Gemma3TextConfig`).
const TEXT_DEFAULTS: [(&str, u64); 8] = [
    ("head_dim", 256),
    ("hidden_size", 2304),
    ("intermediate_size", 9216),
    ("max_position_embeddings", 131_072),
    ("num_attention_heads", 8),
    ("num_hidden_layers", 26),
    ("num_key_value_heads", 4),
    ("vocab_size", 262_208),
];

/// The text of a model that sees images. Its tensors have the names of a model without.
pub(super) fn text_of_images(config: &mut Config) -> Result<ModelSpec, EngineError> {
    config.demand("architectures", vec!["Gemma3ForConditionalGeneration"])?;
    for field in [
        "boi_token_index",
        "eoi_token_index",
        "image_token_index",
        "mm_tokens_per_image",
        "vision_config",
    ] {
        config.skip(field);
    }
    let mut fields = config.object("text_config")?.ok_or(Config::missing("text_config"))?;
    for (name, value) in TEXT_DEFAULTS {
        fields.entry(name).or_insert(value.into());
    }
    for name in ["eos_token_id", "tie_word_embeddings"] {
        if let Some(value) = config.get(name) {
            fields.entry(name).or_insert(value.clone());
        }
    }
    let mut text = Config::part("text_config", fields);
    let mut spec = spec(&mut text)?;
    text.finish()?;
    for images in ["vision_tower.*", "multi_modal_projector.*"] {
        spec.passed_over.extend([images.to_owned(), format!("model.{images}")]);
    }
    Ok(spec)
}

/// A model of text alone.
pub(super) fn spec(config: &mut Config) -> Result<ModelSpec, EngineError> {
    config.demand("architectures", vec!["Gemma3ForCausalLM"])?;
    config.demand("hidden_activation", "gelu_pytorch_tanh")?;
    config.demand("use_bidirectional_attention", false)?;
    let decoder = Decoder {
        activation: Activation::GeluTanh,
        norms_plus_one: true,
        ..Decoder::read(config, Some(256))?
    };
    let ropes = ropes(config, &decoder)?;
    let window = config.dimension_or("sliding_window", Some(4096))?;
    // Newer files have the pattern too, beside `layer_types`.
    config.skip("_sliding_window_pattern");
    let pattern = config.dimension_or("sliding_window_pattern", Some(6))?;
    let windows = windows(config, decoder.layers, Some(window), |layer| {
        !(layer + 1).is_multiple_of(pattern)
    })?;
    let bias = config.flag("attention_bias", false)?;
    let scale = 1.0 / (config.number("query_pre_attn_scalar", Some(256.0))? as f32).sqrt();
    let width = config.dimension("intermediate_size")?;
    let layer = |(number, window): (usize, Option<usize>)| {
        let attention = Attention {
            bias,
            output_bias: bias,
            head_norms: true,
            window,
            rope: if window.is_some() { LOCAL } else { GLOBAL },
        };
        let norm = |part: &str| decoder.norm(&Decoder::name(number, part), decoder.hidden);
        LayerSpec {
            attention_norm: norm("input_layernorm"),
            attention: AttentionSpec::Grouped(GroupedSpec {
                scale,
                ..decoder.attention(number, &attention)
            }),
            after_attention: Some(norm("post_attention_layernorm")),
            feed_norm: norm("pre_feedforward_layernorm"),
            feed: FeedSpec::Dense(decoder.gated(&Decoder::name(number, "mlp"), width, false)),
            after_feed: Some(norm("post_feedforward_layernorm")),
        }
    };
    let layers = windows.into_iter().enumerate().map(layer).collect();
    let spec = decoder.model(config, ropes, layers, true)?;
    Ok(ModelSpec {
        embedding_scale: Some((decoder.hidden as f32).sqrt()),
        ..spec
    })
}

/// The global rope, then the local one. Newer files have an object for each kind of layer; in older ones the scaling is
/// that of the global rope.
fn ropes(config: &mut Config, decoder: &Decoder) -> Result<Vec<RopeSpec>, EngineError> {
    let theta = config.number("rope_theta", Some(1_000_000.0))?;
    let local_theta = config.number("rope_local_base_freq", Some(10_000.0))?;
    let scaling = config.object("rope_scaling")?;
    let mut kinds = config
        .object("rope_parameters")?
        .map(|kinds| Config::part("rope_parameters", kinds));
    let mut read = |kind: &str, theta: f64, older: Option<Map<String, Value>>| {
        let newer = match &mut kinds {
            Some(kinds) => kinds.object(kind)?,
            None => None,
        };
        let (name, fields) = match newer {
            Some(fields) => (format!("rope_parameters.{kind}"), fields),
            None => ("rope_scaling".to_owned(), older.unwrap_or_default()),
        };
        let theta = fields.get("rope_theta").map_or(Some(theta), Value::as_f64);
        let theta = theta.ok_or(Config::missing("rope_theta"))?;
        RopeSpec::of_fields(&name, &fields, decoder.head_dim, theta, decoder.max_positions)
    };
    let global = read("full_attention", theta, scaling)?;
    let local = read("sliding_attention", local_theta, None)?;
    if let Some(kinds) = kinds {
        kinds.finish()?;
    }
    Ok(vec![global, local])
}
