use super::*;
use crate::model::spec::{AttentionSpec, FeedSpec, GroupedSpec};
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

/// The published Gemma-3-1B.
fn gemma3() -> Map<String, Value> {
    fields(json!({
        "architectures": ["Gemma3ForCausalLM"], "attention_bias": false, "attention_dropout": 0.0,
        "attn_logit_softcapping": null, "bos_token_id": 2, "cache_implementation": "hybrid",
        "eos_token_id": [1, 106], "final_logit_softcapping": null, "head_dim": 256,
        "hidden_activation": "gelu_pytorch_tanh", "hidden_size": 1152, "initializer_range": 0.02,
        "intermediate_size": 6912, "max_position_embeddings": 32768, "model_type": "gemma3_text",
        "num_attention_heads": 4, "num_hidden_layers": 26, "num_key_value_heads": 1, "pad_token_id": 0,
        "query_pre_attn_scalar": 256, "rms_norm_eps": 1e-06, "rope_local_base_freq": 10000, "rope_scaling": null,
        "rope_theta": 1000000, "sliding_window": 512, "sliding_window_pattern": 6, "torch_dtype": "bfloat16",
        "transformers_version": "4.50.0.dev0", "use_cache": true, "vocab_size": 262144
    }))
}

/// The published GPT-OSS-20B, with fewer layers named.
fn gpt_oss() -> Map<String, Value> {
    fields(json!({
        "architectures": ["GptOssForCausalLM"], "attention_bias": true, "attention_dropout": 0.0,
        "eos_token_id": 200002, "experts_per_token": 4, "head_dim": 64, "hidden_act": "silu", "hidden_size": 2880,
        "initial_context_length": 4096, "initializer_range": 0.02, "intermediate_size": 2880,
        "layer_types": ["sliding_attention", "full_attention"], "max_position_embeddings": 131072,
        "model_type": "gpt_oss", "num_attention_heads": 64, "num_experts_per_tok": 4, "num_hidden_layers": 2,
        "num_key_value_heads": 8, "num_local_experts": 32, "output_router_logits": false, "pad_token_id": 199999,
        "quantization_config": {"modules_to_not_convert": ["lm_head"], "quant_method": "mxfp4"},
        "rms_norm_eps": 1e-05, "rope_scaling": {"beta_fast": 32.0, "beta_slow": 1.0, "factor": 32.0,
            "original_max_position_embeddings": 4096, "rope_type": "yarn", "truncate": false},
        "rope_theta": 150000, "router_aux_loss_coef": 0.9, "sliding_window": 128, "swiglu_limit": 7.0,
        "tie_word_embeddings": false, "transformers_version": "4.55.0.dev0", "use_cache": true,
        "vocab_size": 201088
    }))
}

fn read(fields: Map<String, Value>) -> Result<ModelSpec, EngineError> {
    model_spec(Config::new(fields))
}

fn grouped(spec: &ModelSpec, layer: usize) -> &GroupedSpec {
    let AttentionSpec::Grouped(grouped) = &spec.layers[layer].attention else {
        panic!("not grouped");
    };
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
        (
            "quantization_config",
            json!({"bits": 4}),
            "quantization_config.quant_method",
        ),
        (
            "quantization_config",
            json!({"quant_method": "mxfp4"}),
            "quantization_config",
        ),
        (
            "quantization_config",
            json!({"quant_method": "fp8", "weight_block_size": [64, 64]}),
            "quantization_config.weight_block_size",
        ),
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

#[test]
fn gemma_has_a_rope_for_each_kind_of_layer() {
    let spec = read(gemma3()).unwrap();
    let kinds: Vec<_> = [4, 5, 6]
        .map(|layer| (grouped(&spec, layer).window, grouped(&spec, layer).rope))
        .into();
    assert_eq!(kinds, [(Some(512), Some(1)), (None, Some(0)), (Some(512), Some(1))]);
    assert_eq!((spec.ropes[0].theta, spec.ropes[1].theta), (1e6, 1e4));
    assert!(spec.head.is_none() && spec.norm.plus_one && spec.layers[0].after_feed.is_some());
    // As newer files write the ropes, with a scaling of the global one.
    let mut newer = gemma3();
    for older in ["rope_theta", "rope_local_base_freq", "rope_scaling"] {
        newer.remove(older);
    }
    let ropes = json!({
        "full_attention": {"rope_type": "linear", "factor": 8.0, "rope_theta": 2e6},
        "sliding_attention": {"rope_type": "default", "rope_theta": 3e4},
    });
    newer.insert("rope_parameters".to_owned(), ropes);
    let spec = read(newer.clone()).unwrap();
    assert_eq!((spec.ropes[0].theta, spec.ropes[1].theta), (2e6, 3e4));
    assert!(matches!(
        spec.ropes[0].scaling,
        crate::model::rope::RopeScaling::Linear { factor: 8.0 }
    ));
    newer["rope_parameters"]["chunked_attention"] = json!({});
    assert!(matches!(
        read(newer),
        Err(EngineError::UnsupportedConfig { field, .. }) if field == "rope_parameters.chunked_attention"
    ));
}

#[test]
fn of_a_gemma_that_sees_images_the_text_is_read() {
    // The published Gemma-3-4B.
    let published = fields(json!({
        "architectures": ["Gemma3ForConditionalGeneration"], "boi_token_index": 255999, "eoi_token_index": 256000,
        "eos_token_id": [1, 106], "image_token_index": 262144, "initializer_range": 0.02,
        "mm_tokens_per_image": 256, "model_type": "gemma3",
        "text_config": {"hidden_size": 2560, "intermediate_size": 10240, "model_type": "gemma3_text",
            "num_hidden_layers": 34, "rope_scaling": {"factor": 8.0, "rope_type": "linear"}, "sliding_window": 1024},
        "torch_dtype": "bfloat16", "transformers_version": "4.50.0.dev0",
        "vision_config": {"hidden_size": 1152, "model_type": "siglip_vision_model"}
    }));
    let spec = read(published.clone()).unwrap();
    assert_eq!(
        (spec.layers.len(), spec.vocab_size, spec.eos.len(), spec.max_positions),
        (34, 262_208, 2, 131_072)
    );
    assert_eq!((grouped(&spec, 5).heads, grouped(&spec, 5).head_dim), (8, 256));
    assert_eq!(spec.architecture, "gemma3_text");
    let mut other = published;
    other["text_config"]["altup_num_inputs"] = json!(4);
    assert!(matches!(
        read(other),
        Err(EngineError::UnsupportedConfig { field, .. }) if field == "text_config.altup_num_inputs"
    ));
}

#[test]
fn experts_of_gpt_oss_are_cut_out_of_one_tensor() {
    let spec = read(gpt_oss()).unwrap();
    let FeedSpec::Experts(experts) = &spec.layers[1].feed else {
        panic!("no experts")
    };
    let part = &experts.experts[3].gate_up.weight.parts[0];
    assert_eq!(
        (part.stored_rows(), part.outputs(), part.inputs()),
        (3 * 5760..4 * 5760, 5760, 2880)
    );
    assert_eq!(part.order.as_ref().unwrap()[2879..2881], [5758, 1]);
    let mut plain = gpt_oss();
    plain.remove("quantization_config");
    let spec = read(plain).unwrap();
    let FeedSpec::Experts(experts) = &spec.layers[1].feed else {
        panic!("no experts")
    };
    let part = &experts.experts[3].gate_up.weight.parts[0];
    assert_eq!(
        (part.stored_rows(), part.outputs(), part.inputs()),
        (3 * 2880..4 * 2880, 5760, 2880)
    );
    assert_eq!((grouped(&spec, 0).window, grouped(&spec, 1).window), (Some(128), None));
}

/// The published DeepSeek-V3, as its config.json was at first.
fn deepseek_v3() -> Map<String, Value> {
    let text = r#"{
        "architectures": ["DeepseekV3ForCausalLM"], "attention_bias": false, "attention_dropout": 0.0,
        "auto_map": {"AutoConfig": "configuration_deepseek.DeepseekV3Config"}, "bos_token_id": 0, "eos_token_id": 1,
        "ep_size": 1, "first_k_dense_replace": 3, "hidden_act": "silu", "hidden_size": 7168,
        "initializer_range": 0.02, "intermediate_size": 18432, "kv_lora_rank": 512,
        "max_position_embeddings": 163840, "model_type": "deepseek_v3", "moe_intermediate_size": 2048,
        "moe_layer_freq": 1, "n_group": 8, "n_routed_experts": 256, "n_shared_experts": 1, "norm_topk_prob": true,
        "num_attention_heads": 128, "num_experts_per_tok": 8, "num_hidden_layers": 61, "num_key_value_heads": 128,
        "num_nextn_predict_layers": 1, "q_lora_rank": 1536, "qk_nope_head_dim": 128, "qk_rope_head_dim": 64,
        "quantization_config": {"activation_scheme": "dynamic", "fmt": "e4m3", "quant_method": "fp8",
            "weight_block_size": [128, 128]},
        "rms_norm_eps": 1e-06,
        "rope_scaling": {"beta_fast": 32, "beta_slow": 1, "factor": 40, "mscale": 1.0, "mscale_all_dim": 1.0,
            "original_max_position_embeddings": 4096, "type": "yarn"},
        "rope_theta": 10000, "routed_scaling_factor": 2.5, "scoring_func": "sigmoid", "tie_word_embeddings": false,
        "topk_group": 4, "topk_method": "noaux_tc", "torch_dtype": "bfloat16", "transformers_version": "4.33.1",
        "use_cache": true, "v_head_dim": 128, "vocab_size": 129280
    }"#;
    serde_json::from_str(text).unwrap()
}

/// The published DeepSeek-V2-Lite.
fn deepseek_v2_lite() -> Map<String, Value> {
    let text = r#"{
        "architectures": ["DeepseekV2ForCausalLM"], "attention_bias": false, "attention_dropout": 0.0,
        "auto_map": {"AutoConfig": "configuration_deepseek.DeepseekV2Config"}, "aux_loss_alpha": 0.001,
        "bos_token_id": 100000, "eos_token_id": 100001, "first_k_dense_replace": 1, "hidden_act": "silu",
        "hidden_size": 2048, "initializer_range": 0.02, "intermediate_size": 10944, "kv_lora_rank": 512,
        "max_position_embeddings": 163840, "model_type": "deepseek_v2", "moe_intermediate_size": 1408,
        "moe_layer_freq": 1, "n_group": 1, "n_routed_experts": 64, "n_shared_experts": 2, "norm_topk_prob": false,
        "num_attention_heads": 16, "num_experts_per_tok": 6, "num_hidden_layers": 27, "num_key_value_heads": 16,
        "pretraining_tp": 1, "q_lora_rank": null, "qk_nope_head_dim": 128, "qk_rope_head_dim": 64,
        "rms_norm_eps": 1e-06,
        "rope_scaling": {"beta_fast": 32, "beta_slow": 1, "factor": 40, "mscale": 0.707, "mscale_all_dim": 0.707,
            "original_max_position_embeddings": 4096, "type": "yarn"},
        "rope_theta": 10000, "routed_scaling_factor": 1.0, "scoring_func": "softmax", "seq_aux": true,
        "tie_word_embeddings": false, "topk_group": 1, "topk_method": "greedy", "torch_dtype": "bfloat16",
        "transformers_version": "4.33.1", "use_cache": true, "v_head_dim": 128, "vocab_size": 102400
    }"#;
    serde_json::from_str(text).unwrap()
}

#[test]
fn published_deepseek_is_read() {
    let spec = read(deepseek_v3()).unwrap();
    let AttentionSpec::Latent(latent) = &spec.layers[60].attention else {
        panic!("not latent");
    };
    let mscale = 0.1 * 40.0_f32.ln() + 1.0;
    assert!((latent.scale - mscale * mscale / 192.0_f32.sqrt()).abs() < 1e-6);
    assert_eq!((latent.key_up.len(), latent.key_value.weight.outputs()), (128, 576));
    assert_eq!(
        (latent.key_up[5].weight.outputs(), latent.key_up[5].weight.inputs()),
        (512, 128)
    );
    assert_eq!(
        (latent.value_up[5].weight.outputs(), latent.value_up[5].weight.inputs()),
        (128, 512)
    );
    assert_eq!(spec.passed_over, ["model.layers.61.*"]);
    assert!(matches!(spec.layers[2].feed, FeedSpec::Dense(_)));
    assert!(matches!(&spec.layers[3].feed, FeedSpec::Experts(experts) if experts.experts.len() == 256));
    let spec = read(deepseek_v2_lite()).unwrap();
    assert!(matches!(&spec.layers[1].feed, FeedSpec::Experts(experts) if experts.correction.is_none()));
}

#[test]
fn what_deepseek_lacks_is_refused_by_name() {
    for (field, value) in [
        ("scoring_func", json!("softmax")),
        ("topk_method", json!("greedy")),
        ("moe_layer_freq", json!(2)),
        ("num_key_value_heads", json!(8)),
        ("index_topk", json!(2048)),
    ] {
        let mut fields = deepseek_v3();
        fields.insert(field.to_owned(), value);
        match read(fields) {
            Err(EngineError::UnsupportedConfig { field: found, .. }) => assert_eq!(found, field),
            other => panic!("{field}: {other:?}"),
        }
    }
    for (field, value) in [
        ("n_group", json!(7)),
        ("topk_group", json!(9)),
        ("num_experts_per_tok", json!(129)),
    ] {
        let mut fields = deepseek_v3();
        fields.insert(field.to_owned(), value);
        assert!(matches!(read(fields), Err(EngineError::MissingConfig { field: found }) if found == field));
    }
}
