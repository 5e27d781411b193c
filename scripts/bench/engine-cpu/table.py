"""Makes a table of the lines that the measurements printed: the best of each engine and format."""

import json
import sys

FORMATS = ["f32", "bf16", "q8", "q4"]
ENGINES = ["cocoon", "llama.cpp", "candle"]


def best(lines: list[dict], engine: str, form: str) -> dict | None:
    """Of all rounds; each figure for itself."""
    found = [line for line in lines if line.get("engine") == engine and line["format"] == form]
    if not found:
        return None
    return {what: max(line.get(what, 0.0) for line in found) for what in ("prefill", "decode", "of_bandwidth")}


def main() -> None:
    lines = [json.loads(line) for line in open(sys.argv[1], encoding="utf-8") if line.strip()]
    machine = [line for line in lines if "read_gb_s" in line]
    speeds = sorted(line["read_gb_s"] for line in machine)
    print(f"read bandwidth {speeds[0]:.1f} to {speeds[-1]:.1f} GB/s with {machine[0]['threads']} threads; tokens/s")
    print("engine      format  prefill   decode  of bandwidth  x best peer (prefill, decode)")
    for form in FORMATS:
        results = {engine: best(lines, engine, form) for engine in ENGINES}
        peers = [result for engine, result in results.items() if result and engine != "cocoon"]
        for engine, result in results.items():
            if not result:
                print(f"{engine:<11} {form:<7} missing")
                continue
            share = f"{result['of_bandwidth']:.2f}" if engine == "cocoon" else "-"
            text = f"{engine:<11} {form:<7} {result['prefill']:7.1f} {result['decode']:8.2f}  {share:>12}"
            if engine == "cocoon" and peers:
                ratios = [result[what] / max(peer[what] for peer in peers) for what in ("prefill", "decode")]
                text += f"  {ratios[0]:.2f}, {ratios[1]:.2f}"
            print(text)


if __name__ == "__main__":
    main()
