"""Makes a table of the lines that the measurements printed."""

import json
import sys

FORMATS = ["f32", "bf16", "q8", "q4"]


def main() -> None:
    lines = [json.loads(line) for line in open(sys.argv[1], encoding="utf-8") if line.strip()]
    machine = next(line for line in lines if "read_gb_s" in line)
    measured = [line for line in lines if "engine" in line]
    print(f"read bandwidth {machine['read_gb_s']:.1f} GB/s with {machine['threads']} threads; tokens/s")
    print("engine      format  prefill   decode  of bandwidth  x best peer (prefill, decode)")
    for form in FORMATS:
        of_format = [line for line in measured if line["format"] == form]
        peers = [line for line in of_format if line["engine"] != "cocoon"]
        for line in of_format:
            share = f"{line['of_bandwidth']:.2f}" if "of_bandwidth" in line else "-"
            text = f"{line['engine']:<11} {form:<7} {line['prefill']:7.1f} {line['decode']:8.2f}  {share:>12}"
            if line["engine"] == "cocoon" and peers:
                ratios = [line[what] / max(peer[what] for peer in peers) for what in ("prefill", "decode")]
                text += f"  {ratios[0]:.2f}, {ratios[1]:.2f}"
            print(text)


if __name__ == "__main__":
    main()
