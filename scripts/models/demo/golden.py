"""Asks the demonstration model with transformers: what it computes is what the engine's tests expect.

    scripts/models/demo/golden.py FOLDER > offchain/engine/tests/golden-demo.json

Run with the environment of scripts/models/reference/requirements.txt. Each case has the messages, the tokens of the
prompt and the likeliest tokens of the answer, in f32 on a CPU.
"""

import json
import sys

import torch
from transformers import AutoModelForCausalLM, AutoTokenizer

QUESTIONS = [
    "Hello!",
    "What is Cocoon?",
    "What is a receipt?",
    "How do I start a local network?",
    "Who can read my prompt?",
    "what does error 1007 mean",
    "How do I cook rice?",
]
NEW_TOKENS = 64


def main() -> None:
    folder = sys.argv[1]
    tokenizer = AutoTokenizer.from_pretrained(folder)
    model = AutoModelForCausalLM.from_pretrained(folder, dtype=torch.float32).eval()
    cases = []
    for question in QUESTIONS:
        messages = [{"role": "user", "content": question}]
        prompt = tokenizer.apply_chat_template(messages, add_generation_prompt=True, return_dict=False)
        with torch.no_grad():
            tokens = model.generate(
                torch.tensor([prompt]), do_sample=False, temperature=None, top_p=None, top_k=None, max_new_tokens=NEW_TOKENS
            )[0].tolist()[len(prompt) :]
        text = tokenizer.decode(tokens, skip_special_tokens=True)
        cases.append({"question": question, "prompt_tokens": prompt, "tokens": tokens, "text": text})
    json.dump(cases, sys.stdout, ensure_ascii=False, indent=1)
    print()


if __name__ == "__main__":
    main()
