"""The tiny checkpoints: for each a name, the model class, its configuration, and how it is stored.

Small numbers, but every shape is there that the families differ in: ratios of query to key heads, heads that are wider
than hidden / heads, biases, tied and untied matrices, windows, rope variants, experts, latent attention, sharded files,
and the number formats of published checkpoints.
"""

from dataclasses import dataclass, field

VOCAB = 320
POSITIONS = 512
BASE = {
    "vocab_size": VOCAB,
    "hidden_size": 64,
    "intermediate_size": 112,
    "num_hidden_layers": 3,
    "num_attention_heads": 4,
    "num_key_value_heads": 2,
    "max_position_embeddings": POSITIONS,
    "rms_norm_eps": 1e-6,
    "tie_word_embeddings": False,
    "bos_token_id": None,
    "eos_token_id": 257,
    "pad_token_id": 256,
}


def rope(theta=10000.0, kind="default", **rest):
    return {"rope_type": kind, "rope_theta": theta, **rest}


YARN = rope(1e6, "yarn", factor=4.0, original_max_position_embeddings=64)
LLAMA3 = rope(
    500000.0, "llama3", factor=8.0, low_freq_factor=1.0, high_freq_factor=4.0, original_max_position_embeddings=64
)


@dataclass
class Case:
    name: str
    # Name of a class of transformers, and of its configuration.
    model: str
    config: str
    fields: dict = field(default_factory=dict)
    # As what the matrices are stored: float32, bfloat16, float16, fp8 in blocks of 128 by 128, or the experts as mxfp4.
    stored: str = "float32"
    # Largest file; smaller ones make several and an index.
    shard: str = "1GB"
    # How hidden states become one vector, for embedding models.
    pooling: str | None = None
    # Write config.json as it was before version 5 of transformers: rope_theta and rope_scaling. Most published folders
    # are so.
    old_names: bool = False

    def configuration(self):
        return {**BASE, **self.fields}


def qwen2(name, fields=None, **rest):
    fields = {"rope_parameters": rope(1e6), **(fields or {})}
    return Case(f"qwen2-{name}", "Qwen2ForCausalLM", "Qwen2Config", fields, **rest)


def qwen3(name, fields=None, **rest):
    fields = {"head_dim": 32, "rope_parameters": rope(1e6), **(fields or {})}
    return Case(f"qwen3-{name}", "Qwen3ForCausalLM", "Qwen3Config", fields, **rest)


def llama(name, fields=None, **rest):
    return Case(f"llama-{name}", "LlamaForCausalLM", "LlamaConfig", {"rope_parameters": rope(), **(fields or {})}, **rest)


def mistral(name, fields=None, **rest):
    fields = {"rope_parameters": rope(1e6), "rms_norm_eps": 1e-5, "sliding_window": None, **(fields or {})}
    return Case(f"mistral-{name}", "MistralForCausalLM", "MistralConfig", fields, **rest)


def gemma3(name, fields=None, **rest):
    fields = {
        "head_dim": 32,
        "num_hidden_layers": 7,
        "query_pre_attn_scalar": 24,
        "sliding_window": 24,
        "tie_word_embeddings": True,
        **(fields or {}),
    }
    return Case(f"gemma3-{name}", "Gemma3ForCausalLM", "Gemma3TextConfig", fields, **rest)


def qwen3_moe(name, fields=None, **rest):
    fields = {
        "head_dim": 32,
        "num_experts": 8,
        "num_experts_per_tok": 2,
        "moe_intermediate_size": 48,
        "norm_topk_prob": True,
        "rope_parameters": rope(1e6),
        **(fields or {}),
    }
    return Case(f"qwen3moe-{name}", "Qwen3MoeForCausalLM", "Qwen3MoeConfig", fields, **rest)


def gpt_oss(name, fields=None, **rest):
    fields = {
        "head_dim": 32,
        "num_hidden_layers": 4,
        "num_local_experts": 4,
        "num_experts_per_tok": 2,
        "intermediate_size": 64,
        "sliding_window": 24,
        "rms_norm_eps": 1e-5,
        "rope_parameters": rope(
            150000.0, "yarn", factor=4.0, beta_fast=32.0, beta_slow=1.0, truncate=False,
            original_max_position_embeddings=128,
        ),
        **(fields or {}),
    }  # fmt: skip
    return Case(f"gptoss-{name}", "GptOssForCausalLM", "GptOssConfig", fields, **rest)


LATENT = {
    "num_key_value_heads": 4,
    "num_hidden_layers": 3,
    "kv_lora_rank": 32,
    "qk_nope_head_dim": 24,
    "qk_rope_head_dim": 16,
    "v_head_dim": 20,
    "moe_intermediate_size": 48,
    "n_routed_experts": 8,
    "num_experts_per_tok": 3,
    "n_shared_experts": 2,
    "first_k_dense_replace": 1,
}
DEEPSEEK_YARN = rope(
    10000.0, "yarn", factor=8.0, beta_fast=32, beta_slow=1, mscale=0.707, mscale_all_dim=0.9,
    original_max_position_embeddings=64,
)  # fmt: skip


def deepseek_v2(name, fields=None, **rest):
    fields = {
        **LATENT,
        "q_lora_rank": None,
        "topk_method": "greedy",
        "n_group": 1,
        "topk_group": 1,
        "norm_topk_prob": False,
        "rope_parameters": rope(),
        **(fields or {}),
    }
    return Case(f"deepseekv2-{name}", "DeepseekV2ForCausalLM", "DeepseekV2Config", fields, **rest)


def deepseek_v3(name, fields=None, **rest):
    fields = {
        **LATENT,
        "q_lora_rank": 40,
        "n_shared_experts": 1,
        "n_group": 4,
        "topk_group": 2,
        "norm_topk_prob": True,
        "routed_scaling_factor": 2.5,
        "num_nextn_predict_layers": 0,
        "rope_parameters": rope(),
        **(fields or {}),
    }
    return Case(f"deepseekv3-{name}", "DeepseekV3ForCausalLM", "DeepseekV3Config", fields, **rest)


CASES = [
    qwen2("gqa-tied-bf16", {"tie_word_embeddings": True}, stored="bfloat16"),
    qwen2("mqa-sharded", {"num_attention_heads": 8, "num_key_value_heads": 1}, shard="40KB"),
    qwen2("window", {"use_sliding_window": True, "sliding_window": 24, "max_window_layers": 1}),
    qwen2("yarn-f16", {"rope_parameters": YARN}, stored="float16", old_names=True),
    qwen3("gqa-tied", {"tie_word_embeddings": True}, old_names=True),
    qwen3("mha-bias-bf16", {"num_key_value_heads": 4, "attention_bias": True}, stored="bfloat16"),
    qwen3("gqa8-sharded", {"num_attention_heads": 8, "num_key_value_heads": 1, "head_dim": 16}, shard="40KB"),
    qwen3("fp8", {"hidden_size": 192, "intermediate_size": 320, "num_hidden_layers": 2}, stored="fp8"),
    llama("llama3-rope-tied", {"rope_parameters": LLAMA3, "tie_word_embeddings": True}, stored="bfloat16", old_names=True),
    llama("biases-linear-rope", {"attention_bias": True, "mlp_bias": True, "rope_parameters": rope(kind="linear", factor=2.5)}),
    llama("head-dim", {"head_dim": 24, "num_attention_heads": 8, "num_key_value_heads": 4}),
    mistral("plain", {"num_attention_heads": 8, "num_key_value_heads": 2, "head_dim": 16}, stored="bfloat16"),
    mistral("window", {"sliding_window": 20}),
    gemma3("gqa", {}, stored="bfloat16", old_names=True),
    gemma3(
        "mqa-linear-rope",
        {
            "num_key_value_heads": 1,
            "rope_parameters": {
                "full_attention": rope(1e6, "linear", factor=8.0),
                "sliding_attention": rope(10000.0),
            },
        },
    ),
    qwen3_moe("normed"),
    qwen3_moe(
        "mixed-dense",
        {"norm_topk_prob": False, "decoder_sparse_step": 2, "mlp_only_layers": [3], "num_hidden_layers": 4},
        stored="bfloat16",
        old_names=True,
    ),
    gpt_oss("bf16", stored="bfloat16"),
    gpt_oss("mxfp4", {"intermediate_size": 96}, stored="mxfp4"),
    deepseek_v2("lite"),
    deepseek_v2(
        "groups-q-lora",
        {
            "q_lora_rank": 40,
            "topk_method": "group_limited_greedy",
            "n_group": 4,
            "topk_group": 2,
            "routed_scaling_factor": 16.0,
            "rope_parameters": DEEPSEEK_YARN,
        },
        stored="bfloat16",
    ),
    deepseek_v3("groups-yarn", {"rope_parameters": DEEPSEEK_YARN}, old_names=True),
    deepseek_v3("no-q-lora", {"q_lora_rank": None, "norm_topk_prob": False, "rope_interleave": False}, stored="bfloat16"),
    deepseek_v3("fp8", {"hidden_size": 192, "q_lora_rank": 136, "kv_lora_rank": 128}, stored="fp8"),
    qwen3("embedding-last", {"tie_word_embeddings": True}, pooling="lasttoken"),
    qwen3("embedding-mean", {"tie_word_embeddings": True}, pooling="mean", stored="bfloat16"),
]  # fmt: skip
