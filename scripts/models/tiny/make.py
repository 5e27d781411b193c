"""Make the tiny Qwen3 that is checked in under offchain/engine/assets/tiny.

    python -m venv VENV && VENV/bin/pip install -r scripts/models/tiny/requirements.txt
    VENV/bin/python scripts/models/tiny/make.py            # about 15 minutes on two cores

The model learns corpus.jsonl by heart. It is an ordinary Hugging Face folder with random numbers from a fixed seed
at the start, and its golden logits and greedy tokens are computed here by transformers, the reference for the engine.
"""

import argparse
import hashlib
import json
import random
from pathlib import Path

import torch
from tokenizers import AddedToken, Regex, Tokenizer, decoders, models, normalizers, pre_tokenizers, trainers
from transformers import PreTrainedTokenizerFast, Qwen3Config, Qwen3ForCausalLM

HERE = Path(__file__).resolve().parent
REPO = HERE.parents[2]
SPECIAL = ["<|endoftext|>", "<|im_start|>", "<|im_end|>"]
PLAIN = ["<think>", "</think>"]
VOCAB = 1024
# The split pattern that the Qwen tokenizers use.
SPLIT = (
    r"(?i:'s|'t|'re|'ve|'m|'ll|'d)|[^\r\n\p{L}\p{N}]?\p{L}+|\p{N}| ?[^\s\p{L}\p{N}]+[\r\n]*|\s*[\r\n]+|\s+(?!\S)|\s+"
)
GOLDEN_CHATS = [
    ([{"role": "user", "content": "What is Cocoon?"}], False),
    ([{"role": "user", "content": "What is a receipt?"}], True),
    ([{"role": "system", "content": "You are a helpful assistant."}, {"role": "user", "content": "Hello!"}], False),
    (
        [
            {"role": "user", "content": "Hi"},
            {"role": "assistant", "content": "Hello! How can I help you today?"},
            {"role": "user", "content": "Show me an emoji"},
        ],
        False,
    ),
    ([{"role": "user", "content": "Привет"}], False),
    ([{"role": "user", "content": "zebra 12345 \u00e9\u4e16\u754c \U0001f98b\n\n  tabs\tand spaces"}], False),
]


def corpus():
    return [json.loads(line) for line in (HERE / "corpus.jsonl").read_text(encoding="utf-8").splitlines()]


def train_tokenizer(entries):
    tokenizer = Tokenizer(models.BPE())
    tokenizer.normalizer = normalizers.NFC()
    tokenizer.pre_tokenizer = pre_tokenizers.Sequence(
        [
            pre_tokenizers.Split(Regex(SPLIT), behavior="isolated"),
            pre_tokenizers.ByteLevel(add_prefix_space=False, use_regex=False),
        ]
    )
    tokenizer.decoder = decoders.ByteLevel()
    trainer = trainers.BpeTrainer(
        vocab_size=VOCAB - len(SPECIAL) - len(PLAIN),
        initial_alphabet=pre_tokenizers.ByteLevel.alphabet(),
        show_progress=False,
    )
    texts = ["system\nuser\nassistant\nYou are a helpful assistant.\nThe question is about "]
    for entry in entries:
        texts += entry["q"] + [entry["a"], entry["topic"]]
    tokenizer.train_from_iterator(texts, trainer)
    tokenizer.add_special_tokens([AddedToken(text, special=True, normalized=False) for text in SPECIAL])
    tokenizer.add_tokens([AddedToken(text, special=False, normalized=False) for text in PLAIN])
    return PreTrainedTokenizerFast(
        tokenizer_object=tokenizer,
        eos_token="<|im_end|>",
        pad_token="<|endoftext|>",
        model_max_length=1024,
        clean_up_tokenization_spaces=False,
        chat_template=(HERE / "chat_template.jinja").read_text(encoding="utf-8"),
    )


def config(tokenizer):
    return Qwen3Config(
        vocab_size=len(tokenizer),
        hidden_size=128,
        intermediate_size=320,
        num_hidden_layers=4,
        num_attention_heads=4,
        num_key_value_heads=2,
        head_dim=32,
        max_position_embeddings=1024,
        rope_parameters={"rope_type": "default", "rope_theta": 10000.0},
        tie_word_embeddings=True,
        use_sliding_window=False,
        attention_bias=False,
        bos_token_id=tokenizer.convert_tokens_to_ids("<|endoftext|>"),
        eos_token_id=tokenizer.convert_tokens_to_ids("<|im_end|>"),
        pad_token_id=tokenizer.convert_tokens_to_ids("<|endoftext|>"),
        dtype="bfloat16",
    )


def vary(question, dice):
    """The same question as a careless person would type it."""
    if dice.random() < 0.2:
        question = question.rstrip("?!.")
    if dice.random() < 0.2:
        question = question.lower()
    if dice.random() < 0.05:
        question = question + "?"
    return question


def answer_text(entry, thinking):
    if thinking:
        return f"<think>\nThe question is about {entry['topic']}.\n</think>\n\n{entry['a']}<|im_end|>\n"
    return f"{entry['a']}<|im_end|>\n"


def sample(tokenizer, entries, dice):
    """One chat: the token ids, and for each whether the loss counts it."""
    ids, counted = [], []

    def put(text, count):
        piece = tokenizer.encode(text, add_special_tokens=False)
        ids.extend(piece)
        counted.extend([count] * len(piece))

    if dice.random() < 0.25:
        put("<|im_start|>system\nYou are a helpful assistant.<|im_end|>\n", False)
    for _ in range(dice.randrange(2) if dice.random() < 0.4 else 0):
        entry = dice.choice(entries)
        question = vary(dice.choice(entry["q"]), dice)
        put(f"<|im_start|>user\n{question}<|im_end|>\n<|im_start|>assistant\n{entry['a']}<|im_end|>\n", False)
    entry = dice.choice(entries)
    question = vary(dice.choice(entry["q"]), dice)
    put(f"<|im_start|>user\n{question}<|im_end|>\n<|im_start|>assistant\n", False)
    thinking = dice.random() < 0.3
    if not thinking:
        put("<think>\n\n</think>\n\n", False)
    put(answer_text(entry, thinking), True)
    return ids, counted


def train(model, tokenizer, entries, steps, seed):
    dice = random.Random(seed)
    optimizer = torch.optim.AdamW(model.parameters(), lr=3e-3, betas=(0.9, 0.98), weight_decay=0.01)
    schedule = torch.optim.lr_scheduler.OneCycleLR(optimizer, max_lr=3e-3, total_steps=steps, pct_start=0.1)
    pad = tokenizer.pad_token_id
    for step in range(steps):
        rows = [sample(tokenizer, entries, dice) for _ in range(24)]
        width = max(len(ids) for ids, _ in rows)
        inputs = torch.tensor([ids + [pad] * (width - len(ids)) for ids, _ in rows])
        labels = torch.tensor(
            [[i if c else -100 for i, c in zip(ids, counted)] + [-100] * (width - len(ids)) for ids, counted in rows]
        )
        mask = torch.tensor([[1] * len(ids) + [0] * (width - len(ids)) for ids, _ in rows])
        loss = model(input_ids=inputs, attention_mask=mask, labels=labels).loss
        optimizer.zero_grad()
        loss.backward()
        torch.nn.utils.clip_grad_norm_(model.parameters(), 1.0)
        optimizer.step()
        schedule.step()
        if step % 50 == 0:
            print(f"step {step} loss {loss.item():.4f}", flush=True)


def render(tokenizer, messages, thinking):
    return tokenizer.apply_chat_template(messages, tokenize=False, add_generation_prompt=True, enable_thinking=thinking)


def golden(folder, tokenizer):
    """Logits after the prompt and 64 greedy tokens, computed in f32 from the saved weights."""
    model = Qwen3ForCausalLM.from_pretrained(folder, dtype=torch.float32).eval()
    cases = []
    for messages, thinking in GOLDEN_CHATS:
        text = render(tokenizer, messages, thinking)
        ids = tokenizer.encode(text, add_special_tokens=False)
        tokens = list(ids)
        first = None
        with torch.no_grad():
            for _ in range(64):
                logits = model(input_ids=torch.tensor([tokens])).logits[0, -1]
                first = logits if first is None else first
                tokens.append(int(logits.argmax()))
        cases.append(
            {
                "messages": messages,
                "enable_thinking": thinking,
                "prompt": text,
                "prompt_tokens": ids,
                "logits": [round(float(x), 5) for x in first],
                "greedy_tokens": tokens[len(ids) :],
                "greedy_text": tokenizer.decode(tokens[len(ids) :], skip_special_tokens=True),
            }
        )
    return cases


def score(folder, tokenizer, entries):
    """How many questions of the corpus are answered word for word."""
    model = Qwen3ForCausalLM.from_pretrained(folder, dtype=torch.float32).eval()
    right = total = 0
    for entry in entries:
        for question in entry["q"]:
            ids = tokenizer.encode(
                render(tokenizer, [{"role": "user", "content": question}], False), add_special_tokens=False
            )
            with torch.no_grad():
                out = model.generate(torch.tensor([ids]), max_new_tokens=80, do_sample=False)
            text = tokenizer.decode(out[0, len(ids) :], skip_special_tokens=True).strip()
            total += 1
            right += text == entry["a"]
    return right, total


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("--steps", type=int, default=1500)
    parser.add_argument("--seed", type=int, default=20)
    parser.add_argument("--out", type=Path, default=REPO / "offchain/engine/assets/tiny")
    parser.add_argument("--golden", type=Path, default=REPO / "offchain/engine/tests/golden-tiny.json")
    arguments = parser.parse_args()

    torch.manual_seed(arguments.seed)
    torch.use_deterministic_algorithms(True)
    entries = corpus()
    tokenizer = train_tokenizer(entries)
    model = Qwen3ForCausalLM(config(tokenizer))
    print(f"{sum(p.numel() for p in model.parameters())} parameters, vocabulary {len(tokenizer)}", flush=True)
    if arguments.steps:
        train(model, tokenizer, entries, arguments.steps, arguments.seed)

    arguments.out.mkdir(parents=True, exist_ok=True)
    model.generation_config.eos_token_id = [model.config.eos_token_id, model.config.pad_token_id]
    model.generation_config.do_sample = True
    model.generation_config.temperature = 0.6
    model.generation_config.top_p = 0.95
    model.generation_config.top_k = 20
    model.to(torch.bfloat16).save_pretrained(arguments.out)
    tokenizer.save_pretrained(arguments.out)
    (arguments.out / "model.safetensors").chmod(0o644)
    names = sorted(p.name for p in arguments.out.iterdir() if p.name != "SHA256SUMS")
    lines = [f"{hashlib.sha256((arguments.out / n).read_bytes()).hexdigest()}  {n}\n" for n in names]
    (arguments.out / "SHA256SUMS").write_text("".join(lines))

    if arguments.steps:
        print("%d of %d questions answered word for word" % score(arguments.out, tokenizer, entries), flush=True)
    arguments.golden.parent.mkdir(parents=True, exist_ok=True)
    arguments.golden.write_text(
        json.dumps({"cases": golden(arguments.out, tokenizer)}, ensure_ascii=False, separators=(",", ":")) + "\n",
        encoding="utf-8",
    )


if __name__ == "__main__":
    main()
