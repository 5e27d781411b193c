"""Measures llama.cpp on the same shape: writes GGUF files of random weights once, then runs a prompt and a decode.

    llama_cpp_speed.py CONFIG_JSON FOLDER THREADS PROMPT NEW [FORMAT ...]

Prints a JSON line for each weight format. The files stay in FOLDER.
"""

import ctypes
import json
import pathlib
import sys
import time

import gguf
import llama_cpp
import numpy

TYPES = {
    "f32": gguf.GGMLQuantizationType.F32,
    "bf16": gguf.GGMLQuantizationType.BF16,
    "q8": gguf.GGMLQuantizationType.Q8_0,
    "q4": gguf.GGMLQuantizationType.Q4_0,
}


def write(config: dict, path: pathlib.Path, kind: gguf.GGMLQuantizationType) -> None:
    """Writes a model of random weights."""
    random = numpy.random.default_rng(1)
    hidden, layers, vocabulary = config["hidden_size"], config["num_hidden_layers"], config["vocab_size"]
    heads, kv_heads, head = config["num_attention_heads"], config["num_key_value_heads"], config["head_dim"]
    inner = config["intermediate_size"]
    writer = gguf.GGUFWriter(path, "qwen3")
    writer.add_block_count(layers)
    writer.add_context_length(config["max_position_embeddings"])
    writer.add_embedding_length(hidden)
    writer.add_feed_forward_length(inner)
    writer.add_head_count(heads)
    writer.add_head_count_kv(kv_heads)
    writer.add_key_length(head)
    writer.add_value_length(head)
    writer.add_rope_freq_base(config["rope_theta"])
    writer.add_layer_norm_rms_eps(config["rms_norm_eps"])
    writer.add_vocab_size(vocabulary)
    writer.add_tokenizer_model("no_vocab")

    def matrix(name: str, rows: int, columns: int) -> None:
        numbers = random.standard_normal((rows, columns), dtype=numpy.float32) / numpy.float32(columns**0.5)
        writer.add_tensor(name, gguf.quants.quantize(numbers, kind), raw_dtype=kind)

    def ones(name: str, count: int) -> None:
        writer.add_tensor(name, numpy.ones(count, dtype=numpy.float32))

    matrix("token_embd.weight", vocabulary, hidden)
    ones("output_norm.weight", hidden)
    for layer in range(layers):
        block = f"blk.{layer}."
        ones(block + "attn_norm.weight", hidden)
        matrix(block + "attn_q.weight", heads * head, hidden)
        matrix(block + "attn_k.weight", kv_heads * head, hidden)
        matrix(block + "attn_v.weight", kv_heads * head, hidden)
        ones(block + "attn_q_norm.weight", head)
        ones(block + "attn_k_norm.weight", head)
        matrix(block + "attn_output.weight", hidden, heads * head)
        ones(block + "ffn_norm.weight", hidden)
        matrix(block + "ffn_gate.weight", inner, hidden)
        matrix(block + "ffn_up.weight", inner, hidden)
        matrix(block + "ffn_down.weight", hidden, inner)
    writer.write_header_to_file()
    writer.write_kv_data_to_file()
    writer.write_tensors_to_file()
    writer.close()


def decode(context, first: int, count: int) -> None:
    """Runs tokens; logits of the last one."""
    tokens = (llama_cpp.llama_token * count)(*[(first + place) * 7919 % 1000 for place in range(count)])
    if llama_cpp.llama_decode(context, llama_cpp.llama_batch_get_one(tokens, count)) != 0:
        raise RuntimeError("llama.cpp cannot decode")
    llama_cpp.llama_get_logits_ith(context, -1)[0]


def measure(path: pathlib.Path, threads: int, prompt: int, new: int) -> tuple[float, float]:
    """The best of three runs: tokens per second of the prompt and after it."""
    model_params = llama_cpp.llama_model_default_params()
    model_params.n_gpu_layers = 0
    model = llama_cpp.llama_model_load_from_file(str(path).encode(), model_params)
    if not model:
        raise RuntimeError(f"llama.cpp cannot load {path}")
    prefill = after = 0.0
    for _ in range(3):
        params = llama_cpp.llama_context_default_params()
        params.n_ctx = prompt + new
        params.n_batch = params.n_ubatch = prompt
        params.n_threads = params.n_threads_batch = threads
        context = llama_cpp.llama_init_from_model(model, params)
        decode(context, 0, 1)  # touches the weights
        llama_cpp.llama_free(context)
        context = llama_cpp.llama_init_from_model(model, params)
        begun = time.perf_counter()
        decode(context, 0, prompt)
        prefill = max(prefill, prompt / (time.perf_counter() - begun))
        begun = time.perf_counter()
        for place in range(new):
            decode(context, prompt + place, 1)
        after = max(after, new / (time.perf_counter() - begun))
        llama_cpp.llama_free(context)
    llama_cpp.llama_model_free(model)
    return prefill, after


def main() -> None:
    config_path, folder, threads, prompt, new, *formats = sys.argv[1:]
    config = json.loads(pathlib.Path(config_path).read_text(encoding="utf-8"))
    # Kept, or Python frees a callback that the library still calls.
    silent = llama_cpp.llama_log_callback(lambda level, text, data: None)
    llama_cpp.llama_log_set(silent, ctypes.c_void_p(0))
    llama_cpp.llama_backend_init()
    for name, kind in TYPES.items():
        if formats and name not in formats:
            continue
        path = pathlib.Path(folder) / f"{pathlib.Path(config_path).stem}-{name}.gguf"
        if not path.exists():
            part = path.with_suffix(".part")
            write(config, part, kind)
            part.rename(path)
        prefill, after = measure(path, int(threads), int(prompt), int(new))
        line = {"engine": "llama.cpp", "format": name, "prefill": round(prefill, 2), "decode": round(after, 2)}
        print(json.dumps(line), flush=True)


if __name__ == "__main__":
    main()
