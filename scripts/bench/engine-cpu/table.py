"""Makes a table of the lines that the measurements printed.

Speeds are the best of all rounds. A ratio to the best peer is formed within each round, where the engines ran one after
the other, and the share of the read bandwidth within each run; the middle one of the rounds counts.
"""

import json
import statistics
import sys

FORMATS = ["f32", "bf16", "q8", "q4"]
ENGINES = ["cocoon", "llama.cpp", "candle"]


def of(lines: list[dict], engine: str, form: str) -> list[dict]:
    """The rounds of an engine, in their order."""
    return [line for line in lines if line.get("engine") == engine and line["format"] == form]


def ratio(lines: list[dict], form: str, what: str) -> float | None:
    """How many times the best peer of the same round, the middle one of the rounds."""
    ours = of(lines, ENGINES[0], form)
    peers = [rounds for engine in ENGINES[1:] if len(rounds := of(lines, engine, form)) == len(ours)]
    if not ours or not peers:
        return None
    return statistics.median(line[what] / max(peer[what] for peer in turn) for line, *turn in zip(ours, *peers))


def main() -> None:
    lines = [json.loads(line) for line in open(sys.argv[1], encoding="utf-8") if line.strip()]
    machine = [line for line in lines if "read_gb_s" in line]
    speeds = sorted(line["read_gb_s"] for line in machine)
    print(f"read bandwidth {speeds[0]:.1f} to {speeds[-1]:.1f} GB/s with {machine[0]['threads']} threads; tokens/s")
    print("engine      format  prefill   decode  of bandwidth  x best peer (prefill, decode)")
    for form in FORMATS:
        for engine in ENGINES:
            rounds = of(lines, engine, form)
            if not rounds:
                print(f"{engine:<11} {form:<7} missing")
                continue
            speeds = [max(line[what] for line in rounds) for what in ("prefill", "decode")]
            text = f"{engine:<11} {form:<7} {speeds[0]:7.1f} {speeds[1]:8.2f}"
            if engine == ENGINES[0]:
                share = statistics.median(line["of_bandwidth"] for line in rounds)
                ratios = [ratio(lines, form, what) for what in ("prefill", "decode")]
                text += f"  {share:>12.2f}  " + ", ".join("-" if one is None else f"{one:.2f}" for one in ratios)
            print(text)


if __name__ == "__main__":
    main()
