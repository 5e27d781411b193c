"""Measures transformers on the same shape: random weights in bf16, a static cache, the decoding step as a CUDA graph.

    transformers_speed.py CONFIG_JSON BATCH PROMPT NEW

Prints one JSON line.
"""

import json
import sys
import time

import torch
import transformers


def main() -> None:
    config_path, batch, prompt, new = sys.argv[1], *map(int, sys.argv[2:5])
    with open(config_path) as file:
        fields = json.load(file)
    config = transformers.Qwen3Config(**{name: fields[name] for name in fields if name != "architectures"})
    device = torch.device("cuda")
    with torch.device(device):
        model = transformers.Qwen3ForCausalLM(config).to(torch.bfloat16).eval()
    tokens = torch.randint(0, 1000, (batch, prompt), device=device)
    step = torch.compile(model.forward, mode="reduce-overhead", fullgraph=True)
    best_prefill = best_decode = 0.0
    for number in range(4):
        cache = transformers.StaticCache(config=config, max_cache_len=prompt + new + 1)
        with torch.no_grad():
            torch.cuda.synchronize()
            begun = time.perf_counter()
            positions = torch.arange(prompt, device=device)
            output = model(tokens, past_key_values=cache, cache_position=positions, logits_to_keep=1)
            token = output.logits[:, -1:].argmax(-1)
            torch.cuda.synchronize()
            prefill = time.perf_counter() - begun
            begun = time.perf_counter()
            for place in range(new):
                torch.compiler.cudagraph_mark_step_begin()
                position = torch.tensor([prompt + place], device=device)
                output = step(token.clone(), past_key_values=cache, cache_position=position)
                token = output.logits[:, -1:].argmax(-1)
            torch.cuda.synchronize()
            decode = time.perf_counter() - begun
        if number > 0:  # the first compiles
            best_prefill = max(best_prefill, batch * prompt / prefill)
            best_decode = max(best_decode, batch * new / decode)
    print(
        json.dumps(
            {"engine": "transformers", "batch": batch, "prefill": round(best_prefill, 1), "decode": round(best_decode, 1)}
        )
    )


main()
