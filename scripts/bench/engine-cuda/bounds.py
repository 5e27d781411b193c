"""Prints what the first GPU does at most: bytes per second of a copy, operations per second of a product in bf16."""

import json
import time

import torch


def best_seconds(run) -> float:
    """The best of ten, after three that are not counted."""
    times = []
    for _ in range(13):
        torch.cuda.synchronize()
        begun = time.perf_counter()
        run()
        torch.cuda.synchronize()
        times.append(time.perf_counter() - begun)
    return min(times[3:])


def main() -> None:
    device = torch.device("cuda")
    source = torch.empty(4 * 2**30, dtype=torch.uint8, device=device)
    target = torch.empty_like(source)
    copy = 2 * source.numel() / best_seconds(lambda: target.copy_(source))
    del source, target
    side = 8192
    one = torch.randn(side, side, dtype=torch.bfloat16, device=device)
    other = torch.randn(side, side, dtype=torch.bfloat16, device=device)
    product = 2 * side**3 / best_seconds(lambda: one @ other)
    name = torch.cuda.get_device_name()
    print(json.dumps({"gpu": name, "copy_bytes_s": round(copy), "product_operations_s": round(product)}))


main()
