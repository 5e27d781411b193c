//! `config.json`: the fields that shape the model, those that do not matter for inference, and a refusal for the rest.

use super::read_bounded;
use crate::error::EngineError;
use crate::limits::{MAX_CONFIG_BYTES, MAX_DIMENSION, MAX_LAYERS};
use serde_json::{Map, Value};
use std::path::Path;

/// Fields that do not change what a dense model computes at inference.
const WITHOUT_EFFECT: [&str; 17] = [
    "_name_or_path",
    "attention_dropout",
    "bos_token_id",
    "classifier_dropout",
    "dtype",
    "eos_token_id",
    "id2label",
    "initializer_range",
    "is_decoder",
    "label2id",
    "max_window_layers",
    "pad_token_id",
    "task_specific_params",
    "torch_dtype",
    "transformers_version",
    "use_cache",
    "vocab_size_multiple",
];

/// Fields that are read by [`ModelConfig::parse`].
const READ: [&str; 19] = [
    "architectures",
    "attention_bias",
    "head_dim",
    "hidden_act",
    "hidden_size",
    "intermediate_size",
    "layer_types",
    "max_position_embeddings",
    "model_type",
    "num_attention_heads",
    "num_hidden_layers",
    "num_key_value_heads",
    "rms_norm_eps",
    "rope_parameters",
    "rope_scaling",
    "rope_theta",
    "tie_word_embeddings",
    "use_sliding_window",
    "vocab_size",
];

/// The shape of a dense Qwen3 model.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct ModelConfig {
    pub(crate) architecture: String,
    pub(crate) vocab_size: usize,
    pub(crate) hidden: usize,
    pub(crate) intermediate: usize,
    pub(crate) layers: usize,
    pub(crate) heads: usize,
    pub(crate) kv_heads: usize,
    pub(crate) head_dim: usize,
    pub(crate) norm_eps: f64,
    pub(crate) rope_theta: f64,
    pub(crate) max_positions: usize,
    pub(crate) tied: bool,
    /// From this file; `generation_config.json` has the last word.
    pub(crate) eos: Vec<u32>,
}

impl ModelConfig {
    pub(crate) fn read(path: &Path) -> Result<Self, EngineError> {
        let bytes = read_bounded(path, MAX_CONFIG_BYTES)?;
        let fields: Map<String, Value> = serde_json::from_slice(&bytes).map_err(|source| EngineError::Json {
            file: "config.json",
            source,
        })?;
        Self::parse(&fields)
    }

    fn parse(fields: &Map<String, Value>) -> Result<Self, EngineError> {
        demand(fields, "model_type", Some(Value::from("qwen3")))?;
        demand_if_present(fields, "architectures", |value| {
            *value == serde_json::json!(["Qwen3ForCausalLM"])
        })?;
        demand_if_present(fields, "attention_bias", |value| *value == Value::Bool(false))?;
        demand_if_present(fields, "hidden_act", |value| value == "silu")?;
        demand_if_present(fields, "use_sliding_window", |value| *value == Value::Bool(false))?;
        demand_if_present(fields, "rope_scaling", Value::is_null)?;
        demand_if_present(fields, "layer_types", |value| {
            value
                .as_array()
                .is_some_and(|layers| layers.iter().all(|layer| layer == "full_attention"))
        })?;
        // Without `use_sliding_window` the size of the window is never used; newer files write null then.
        let known = |name: &str| name == "sliding_window" || READ.contains(&name) || WITHOUT_EFFECT.contains(&name);
        if let Some((name, value)) = fields.iter().find(|(name, value)| !known(name) && !value.is_null()) {
            return Err(unsupported(name, value));
        }

        let config = Self {
            architecture: "qwen3".to_owned(),
            vocab_size: dimension(fields, "vocab_size")?,
            hidden: dimension(fields, "hidden_size")?,
            intermediate: dimension(fields, "intermediate_size")?,
            layers: dimension(fields, "num_hidden_layers")?,
            heads: dimension(fields, "num_attention_heads")?,
            kv_heads: dimension(fields, "num_key_value_heads")?,
            head_dim: match fields.get("head_dim").filter(|value| !value.is_null()) {
                Some(_) => dimension(fields, "head_dim")?,
                None => 128, // what transformers takes for this family
            },
            norm_eps: fields
                .get("rms_norm_eps")
                .map_or(Some(1e-6), Value::as_f64)
                .ok_or(missing("rms_norm_eps"))?,
            rope_theta: rope_theta(fields)?,
            max_positions: dimension(fields, "max_position_embeddings")?,
            tied: fields
                .get("tie_word_embeddings")
                .map_or(Some(false), Value::as_bool)
                .ok_or_else(|| unsupported("tie_word_embeddings", &fields["tie_word_embeddings"]))?,
            eos: token_ids(fields.get("eos_token_id")),
        };
        if config.layers > MAX_LAYERS {
            return Err(missing("num_hidden_layers"));
        }
        if !config.heads.is_multiple_of(config.kv_heads) {
            return Err(missing("num_key_value_heads"));
        }
        if !config.head_dim.is_multiple_of(2) {
            return Err(missing("head_dim"));
        }
        Ok(config)
    }
}

/// One id or a list of ids.
pub(super) fn token_ids(value: Option<&Value>) -> Vec<u32> {
    let id = |value: &Value| value.as_u64().and_then(|id| u32::try_from(id).ok());
    match value {
        Some(Value::Array(ids)) => ids.iter().filter_map(id).collect(),
        Some(value) => id(value).into_iter().collect(),
        None => Vec::new(),
    }
}

/// Older files have `rope_theta`; newer ones `rope_parameters` with a type.
fn rope_theta(fields: &Map<String, Value>) -> Result<f64, EngineError> {
    let theta = match fields.get("rope_parameters").filter(|value| !value.is_null()) {
        Some(parameters) => {
            let refused = || unsupported("rope_parameters", parameters);
            let parameters = parameters.as_object().ok_or_else(refused)?;
            for (name, value) in parameters {
                match name.as_str() {
                    "rope_theta" => {}
                    "rope_type" | "type" if value == "default" => {}
                    _ => return Err(unsupported(&format!("rope_parameters.{name}"), value)),
                }
            }
            parameters.get("rope_theta").or(fields.get("rope_theta"))
        }
        None => fields.get("rope_theta"),
    };
    theta
        .and_then(Value::as_f64)
        .filter(|theta| *theta > 1.0 && theta.is_finite())
        .ok_or(missing("rope_theta"))
}

fn demand(fields: &Map<String, Value>, name: &str, wanted: Option<Value>) -> Result<(), EngineError> {
    let found = fields.get(name);
    if found == wanted.as_ref() {
        Ok(())
    } else {
        Err(unsupported(name, found.unwrap_or(&Value::Null)))
    }
}

fn demand_if_present(
    fields: &Map<String, Value>,
    name: &str,
    holds: impl FnOnce(&Value) -> bool,
) -> Result<(), EngineError> {
    match fields.get(name).filter(|value| !value.is_null()) {
        Some(value) if !holds(value) => Err(unsupported(name, value)),
        _ => Ok(()),
    }
}

fn dimension(fields: &Map<String, Value>, name: &'static str) -> Result<usize, EngineError> {
    let number = fields
        .get(name)
        .and_then(Value::as_u64)
        .and_then(|number| usize::try_from(number).ok());
    number
        .filter(|number| (1..=MAX_DIMENSION).contains(number))
        .ok_or(missing(name))
}

fn missing(field: &'static str) -> EngineError {
    EngineError::MissingConfig { field }
}

fn unsupported(field: &str, found: &Value) -> EngineError {
    EngineError::UnsupportedConfig {
        field: field.to_owned(),
        found: found.to_string().chars().take(60).collect(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    fn published() -> Map<String, Value> {
        // The published Qwen3-0.6B, field by field.
        let value = json!({
            "architectures": ["Qwen3ForCausalLM"], "attention_bias": false, "attention_dropout": 0.0,
            "bos_token_id": 151643, "eos_token_id": 151645, "head_dim": 128, "hidden_act": "silu",
            "hidden_size": 1024, "initializer_range": 0.02, "intermediate_size": 3072,
            "max_position_embeddings": 40960, "max_window_layers": 28, "model_type": "qwen3",
            "num_attention_heads": 16, "num_hidden_layers": 28, "num_key_value_heads": 8, "rms_norm_eps": 1e-06,
            "rope_scaling": null, "rope_theta": 1000000, "sliding_window": null, "tie_word_embeddings": true,
            "torch_dtype": "bfloat16", "transformers_version": "4.51.0", "use_cache": true,
            "use_sliding_window": false, "vocab_size": 151936
        });
        value.as_object().unwrap().clone()
    }

    #[test]
    fn the_published_configuration_is_read() {
        let config = ModelConfig::parse(&published()).unwrap();
        assert_eq!(
            (config.hidden, config.heads, config.kv_heads, config.head_dim),
            (1024, 16, 8, 128)
        );
        assert_eq!((config.rope_theta, config.tied, config.eos), (1e6, true, vec![151645]));
    }

    #[test]
    fn what_is_not_supported_is_refused_by_name() {
        for (field, value) in [
            ("model_type", json!("qwen3_moe")),
            ("architectures", json!(["Qwen3ForSequenceClassification"])),
            ("attention_bias", json!(true)),
            ("hidden_act", json!("gelu")),
            ("use_sliding_window", json!(true)),
            ("rope_scaling", json!({"rope_type": "yarn", "factor": 4.0})),
            ("layer_types", json!(["sliding_attention"])),
            ("quantization_config", json!({"bits": 4})),
            ("num_experts", json!(8)),
        ] {
            let mut fields = published();
            fields.insert(field.to_owned(), value);
            match ModelConfig::parse(&fields) {
                Err(EngineError::UnsupportedConfig { field: found, .. }) => assert_eq!(found, field),
                other => panic!("{field}: {other:?}"),
            }
        }
        let mut fields = published();
        fields.insert(
            "rope_parameters".to_owned(),
            json!({"rope_type": "yarn", "rope_theta": 1e6}),
        );
        assert!(matches!(
            ModelConfig::parse(&fields),
            Err(EngineError::UnsupportedConfig { .. })
        ));
    }

    #[test]
    fn a_dimension_that_is_missing_or_absurd_is_refused_by_name() {
        for (field, value) in [
            ("hidden_size", json!(null)),
            ("num_hidden_layers", json!(100_000)),
            ("num_key_value_heads", json!(3)),
            ("vocab_size", json!(-1)),
            ("head_dim", json!(7)),
            ("rope_theta", json!("x")),
        ] {
            let mut fields = published();
            fields.insert(field.to_owned(), value);
            match ModelConfig::parse(&fields) {
                Err(EngineError::MissingConfig { field: found }) => assert_eq!(found, field),
                other => panic!("{field}: {other:?}"),
            }
        }
    }
}
