"""Make the small GGUF files that are checked in under offchain/engine/tests/gguf.

    python -m venv VENV && VENV/bin/pip install -r scripts/models/gguf/requirements.txt
    VENV/bin/python scripts/models/gguf/make.py            # a second; the same bytes every time

Each folder has a config.json, the weights as the `gguf` package of llama.cpp writes them, and expected.json: for every
tensor under its Hugging Face name its shape and the SHA-256 of its numbers as little-endian f32, as that package
dequantizes them. Llama's queries and keys are permuted as llama.cpp's converter does it.
"""

import hashlib
import json
import shutil
from pathlib import Path

import gguf
import numpy as np

OUT = Path(__file__).resolve().parents[3] / "offchain/engine/tests/gguf"
HIDDEN, HEADS, KV_HEADS, HEAD_DIM, WIDTH, LAYERS, VOCAB = 32, 2, 1, 16, 64, 1, 48
F32, F16, BF16 = gguf.GGMLQuantizationType.F32, gguf.GGMLQuantizationType.F16, gguf.GGMLQuantizationType.BF16
Q8_0, Q4_0 = gguf.GGMLQuantizationType.Q8_0, gguf.GGMLQuantizationType.Q4_0

# Folder, GGUF architecture, model_type, class, fields of config.json, has biases, has head norms, tied, types in turn.
MODELS = [
    ("llama", "llama", "llama", "LlamaForCausalLM", {}, False, False, False, [Q8_0, Q4_0, F16, BF16, F32]),
    ("mistral", "llama", "mistral", "MistralForCausalLM", {"sliding_window": None}, False, False, False, [Q4_0]),
    ("qwen2", "qwen2", "qwen2", "Qwen2ForCausalLM", {}, True, False, True, [Q8_0]),
    ("qwen3", "qwen3", "qwen3", "Qwen3ForCausalLM", {"head_dim": HEAD_DIM, "rope_theta": 1e6}, False, True, True, [Q4_0]),
]


def permute(weights, heads):
    """LlamaModel.permute of convert_hf_to_gguf.py."""
    shape = weights.shape
    return weights.reshape(heads, 2, shape[0] // heads // 2, *shape[1:]).swapaxes(1, 2).reshape(shape)


def tensors(biases, head_norms, tied):
    """GGUF name, Hugging Face name, shape, heads if a converter permutes it."""
    yield "token_embd.weight", "model.embed_tokens.weight", (VOCAB, HIDDEN), None
    for layer in range(LAYERS):
        ours, theirs = f"model.layers.{layer}", f"blk.{layer}"
        yield f"{theirs}.attn_norm.weight", f"{ours}.input_layernorm.weight", (HIDDEN,), None
        for part, heads, permuted in [("q", HEADS, HEADS), ("k", KV_HEADS, KV_HEADS), ("v", KV_HEADS, None)]:
            rows = heads * HEAD_DIM
            yield f"{theirs}.attn_{part}.weight", f"{ours}.self_attn.{part}_proj.weight", (rows, HIDDEN), permuted
            if biases:
                yield f"{theirs}.attn_{part}.bias", f"{ours}.self_attn.{part}_proj.bias", (rows,), permuted
            if head_norms and part != "v":
                yield f"{theirs}.attn_{part}_norm.weight", f"{ours}.self_attn.{part}_norm.weight", (HEAD_DIM,), None
        output = (HIDDEN, HEADS * HEAD_DIM)
        yield f"{theirs}.attn_output.weight", f"{ours}.self_attn.o_proj.weight", output, None
        yield f"{theirs}.ffn_norm.weight", f"{ours}.post_attention_layernorm.weight", (HIDDEN,), None
        for part, shape in [("gate", (WIDTH, HIDDEN)), ("up", (WIDTH, HIDDEN)), ("down", (HIDDEN, WIDTH))]:
            yield f"{theirs}.ffn_{part}.weight", f"{ours}.mlp.{part}_proj.weight", shape, None
    yield "output_norm.weight", "model.norm.weight", (HIDDEN,), None
    if not tied:
        yield "output.weight", "lm_head.weight", (VOCAB, HIDDEN), None


def config(model_type, architecture, tied, fields):
    return {
        "architectures": [architecture],
        "model_type": model_type,
        "hidden_size": HIDDEN,
        "num_hidden_layers": LAYERS,
        "num_attention_heads": HEADS,
        "num_key_value_heads": KV_HEADS,
        "intermediate_size": WIDTH,
        "vocab_size": VOCAB,
        "max_position_embeddings": 64,
        "hidden_act": "silu",
        "rms_norm_eps": 1e-6,
        "rope_theta": 10000.0,
        "tie_word_embeddings": tied,
    } | fields


def main():
    shutil.rmtree(OUT, ignore_errors=True)
    random = np.random.default_rng(20)
    for name, arch, model_type, architecture, fields, biases, head_norms, tied, kinds in MODELS:
        folder = OUT / name
        folder.mkdir(parents=True)
        (folder / "config.json").write_text(json.dumps(config(model_type, architecture, tied, fields), indent=2) + "\n")
        # Qwen3 in parts, as large models are stored.
        writer = gguf.GGUFWriter(folder / "model.gguf", arch, split_max_tensors=5 if name == "qwen3" else 0)
        writer.add_head_count(HEADS)
        writer.add_head_count_kv(KV_HEADS)
        # Values of every kind, none of which matters.
        writer.add_array("tokenizer.ggml.tokens", [f"token {number}" for number in range(VOCAB)])
        writer.add_array("tokenizer.ggml.token_type", [1] * VOCAB)
        writer.add_float32("general.pi", 3.14)
        writer.add_bool("general.is_test", True)
        expected, matrices = {}, 0
        for theirs, ours, shape, permuted in tensors(biases, head_norms, tied):
            numbers = random.standard_normal(shape, dtype=np.float32) / 8
            kind = F32
            if len(shape) == 2:
                kind = kinds[matrices % len(kinds)]
                matrices += 1
            read = gguf.quants.dequantize(gguf.quants.quantize(numbers, kind), kind).astype("<f4")
            expected[ours] = {"shape": shape, "sha256": hashlib.sha256(read.tobytes()).hexdigest()}
            stored = permute(numbers, permuted) if arch == "llama" and permuted else numbers
            writer.add_tensor(theirs, gguf.quants.quantize(stored, kind), raw_dtype=kind)
        if name == "llama":
            writer.add_tensor("rope_freqs.weight", np.ones(HEAD_DIM // 2, dtype=np.float32))
        writer.write_header_to_file()
        writer.write_kv_data_to_file()
        writer.write_tensors_to_file()
        writer.close()
        (folder / "expected.json").write_text(json.dumps(expected, indent=2) + "\n")


if __name__ == "__main__":
    main()
