use super::*;
use crate::model::spec::{AttentionSpec, GroupedSpec};
use serde_json::{Map, Value, json};

fn fields(value: Value) -> Map<String, Value> {
    value.as_object().unwrap().clone()
}

/// The published Qwen3-0.6B, field by field.
fn qwen3() -> Map<String, Value> {
    fields(json!({
        "architectures": ["Qwen3ForCausalLM"], "attention_bias": false, "attention_dropout": 0.0,
        "bos_token_id": 151643, "eos_token_id": 151645, "head_dim": 128, "hidden_act": "silu",
        "hidden_size": 1024, "initializer_range": 0.02, "intermediate_size": 3072,
        "max_position_embeddings": 40960, "max_window_layers": 28, "model_type": "qwen3",
        "num_attention_heads": 16, "num_hidden_layers": 28, "num_key_value_heads": 8, "rms_norm_eps": 1e-06,
        "rope_scaling": null, "rope_theta": 1000000, "sliding_window": null, "tie_word_embeddings": true,
        "torch_dtype": "bfloat16", "transformers_version": "4.51.0", "use_cache": true,
        "use_sliding_window": false, "vocab_size": 151936
    }))
}

/// The published Llama-3.2-1B.
fn llama() -> Map<String, Value> {
    fields(json!({
        "architectures": ["LlamaForCausalLM"], "attention_bias": false, "attention_dropout": 0.0,
        "bos_token_id": 128000, "eos_token_id": [128001, 128008, 128009], "head_dim": 64, "hidden_act": "silu",
        "hidden_size": 2048, "initializer_range": 0.02, "intermediate_size": 8192,
        "max_position_embeddings": 131072, "mlp_bias": false, "model_type": "llama", "num_attention_heads": 32,
        "num_hidden_layers": 16, "num_key_value_heads": 8, "pretraining_tp": 1, "rms_norm_eps": 1e-05,
        "rope_scaling": {"factor": 32.0, "high_freq_factor": 4.0, "low_freq_factor": 1.0,
            "original_max_position_embeddings": 8192, "rope_type": "llama3"},
        "rope_theta": 500000.0, "tie_word_embeddings": true, "torch_dtype": "bfloat16",
        "transformers_version": "4.45.0.dev0", "use_cache": true, "vocab_size": 128256
    }))
}

fn read(fields: Map<String, Value>) -> Result<ModelSpec, EngineError> {
    model_spec(Config::new(fields))
}

fn grouped(spec: &ModelSpec, layer: usize) -> &GroupedSpec {
    let AttentionSpec::Grouped(grouped) = &spec.layers[layer].attention;
    grouped
}

#[test]
fn published_configurations_are_read() {
    let spec = read(qwen3()).unwrap();
    let attention = grouped(&spec, 27);
    assert_eq!((attention.heads, attention.kv_heads, attention.head_dim), (16, 8, 128));
    assert_eq!(
        (spec.ropes[0].theta, spec.head.is_none(), spec.eos.as_slice()),
        (1e6, true, &[151_645][..])
    );
    assert_eq!(attention.query_key_value.weight.outputs(), 4096);
    let spec = read(llama()).unwrap();
    assert_eq!((spec.layers.len(), spec.eos.len()), (16, 3));
    assert!(matches!(
        spec.ropes[0].scaling,
        crate::model::rope::RopeScaling::Llama3 { factor: 32.0, .. }
    ));
}

#[test]
fn what_is_not_supported_is_refused_by_name() {
    for (field, value, named) in [
        ("model_type", json!("mamba"), "model_type"),
        (
            "architectures",
            json!(["Qwen3ForSequenceClassification"]),
            "architectures",
        ),
        ("attention_bias", json!("yes"), "attention_bias"),
        ("hidden_act", json!("gelu"), "hidden_act"),
        (
            "rope_scaling",
            json!({"rope_type": "dynamic", "factor": 4.0}),
            "rope_scaling.rope_type",
        ),
        (
            "rope_scaling",
            json!({"rope_type": "linear", "factor": 4.0, "short_factor": []}),
            "rope_scaling.short_factor",
        ),
        (
            "rope_parameters",
            json!({"rope_type": "longrope", "rope_theta": 1e6}),
            "rope_parameters.rope_type",
        ),
        ("layer_types", json!(["sliding_attention"]), "layer_types"),
        ("quantization_config", json!({"bits": 4}), "quantization_config"),
        ("num_experts", json!(8), "num_experts"),
    ] {
        let mut fields = qwen3();
        fields.insert(field.to_owned(), value);
        match read(fields) {
            Err(EngineError::UnsupportedConfig { field: found, .. }) => assert_eq!(found, named),
            other => panic!("{field}: {other:?}"),
        }
    }
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
        let mut fields = qwen3();
        fields.insert(field.to_owned(), value);
        match read(fields) {
            Err(EngineError::MissingConfig { field: found }) => assert_eq!(found, field),
            other => panic!("{field}: {other:?}"),
        }
    }
}

#[test]
fn windows_of_qwen_begin_where_the_file_says() {
    let mut fields = qwen3();
    fields.insert("use_sliding_window".to_owned(), json!(true));
    fields.insert("sliding_window".to_owned(), json!(512));
    fields.insert("max_window_layers".to_owned(), json!(27));
    let spec = read(fields).unwrap();
    assert_eq!(
        (grouped(&spec, 26).window, grouped(&spec, 27).window),
        (None, Some(512))
    );
}
