"""Makes tiny random checkpoints of every family with what transformers computes from them.

    python -m venv VENV && VENV/bin/pip install -r scripts/models/reference/requirements.txt
    VENV/bin/python scripts/models/reference/make.py FOLDER [NAME ...]      # about a minute on two cores

Each case of cases.py becomes an ordinary Hugging Face folder, read back by `from_pretrained` before anything is
computed, and beside it `golden.safetensors`:

    prompt.N     the tokens of a prompt
    greedy.N     the 64 tokens that follow, the likeliest each time
    logits.N     [64, vocabulary], from which each of these was taken
    embedding.N  [hidden], of embedding models, in place of the last two
"""

import hashlib
import json
import math
import shutil
import sys
import tempfile
from pathlib import Path

import torch
import transformers
from cases import CASES, VOCAB
from safetensors.torch import load_file, save_file
from tokenizers import Tokenizer, decoders, models, pre_tokenizers
from transformers import PreTrainedTokenizerFast

STEPS = 64
# Shorter than a block of the cache, across its border, and longer than all windows.
LENGTHS = (5, 40, 75)
# Between the likeliest token and the next, relative to the largest logit: a step with less says nothing when f32 sums
# run in another order, so such a prompt is not taken.
GAP = 1e-4
# Tokens that differ in an answer: fewer would say little.
VARIETY = 8
FP8_BLOCK = 128
FP8_MAX = 448.0
MXFP4_BLOCK = 32
# The numbers of four bits: one of sign, two of exponent, one of mantissa.
MXFP4 = (0.0, 0.5, 1.0, 1.5, 2.0, 3.0, 4.0, 6.0)
QUANTIZATION = {
    "fp8": {
        "activation_scheme": "dynamic",
        "fmt": "e4m3",
        "quant_method": "fp8",
        "weight_block_size": [FP8_BLOCK, FP8_BLOCK],
    },
    "mxfp4": {"modules_to_not_convert": ["model.layers.*.self_attn", "lm_head"], "quant_method": "mxfp4"},
}


def seeded(*words):
    digest = hashlib.sha256("/".join(map(str, words)).encode()).digest()
    return torch.Generator().manual_seed(int.from_bytes(digest[:6], "big"))


def randomize(model, name):
    """Weights under which every part matters: the usual small ones would leave all logits near zero."""
    generator = seeded("weights", name)

    def normal(shape, scale):
        return torch.randn(shape, generator=generator) * scale

    gemma = name.startswith("gemma3")
    tensors = list(model.named_parameters())
    tensors += [entry for entry in model.named_buffers() if entry[0].endswith("e_score_correction_bias")]
    for path, tensor in tensors:
        last = path.split(".")[-1]
        if path.endswith("embed_tokens.weight"):
            new = normal(tensor.shape, 1 / math.sqrt(tensor.shape[1]) if gemma else 1.0)
        elif path.endswith("lm_head.weight"):
            new = normal(tensor.shape, 3 / math.sqrt(tensor.shape[1]))
        elif last in ("sinks", "e_score_correction_bias"):
            new = normal(tensor.shape, 1.0 if last == "sinks" else 0.2)
        elif last.endswith("bias"):
            new = normal(tensor.shape, 0.3)
        elif tensor.ndim == 1:
            new = normal(tensor.shape, 0.3) + (0.0 if gemma else 1.0)
        else:
            transposed = name.startswith("gptoss") and tensor.ndim == 3
            inputs = tensor.shape[1] if transposed else tensor.shape[-1]
            strong = any(part in path for part in ("q_proj", "k_proj", "o_proj", "down_proj", "gate.weight"))
            new = normal(tensor.shape, (2.0 if strong else 1.2) / math.sqrt(inputs))
        tensor.data.copy_(new)


def tokenizer():
    """One token for each byte, and two marks."""
    alphabet = sorted(pre_tokenizers.ByteLevel.alphabet())
    core = Tokenizer(models.BPE(vocab={letter: number for number, letter in enumerate(alphabet)}, merges=[]))
    core.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False, use_regex=False)
    core.decoder = decoders.ByteLevel()
    return PreTrainedTokenizerFast(tokenizer_object=core, pad_token="<|pad|>", eos_token="<|end|>")


def quantize_fp8(tensors):
    """As DeepSeek-V3 and Qwen3-FP8 store them: projections as e4m3 with a factor for each block of 128 by 128.

    Gives what goes into the file, and the f32 numbers that it stands for."""
    stored, meant = {}, {}
    for name, tensor in tensors.items():
        stored[name] = meant[name] = tensor
        if tensor.ndim != 2 or "_proj" not in name:
            continue
        rows, columns = tensor.shape
        grid = (-(-rows // FP8_BLOCK), -(-columns // FP8_BLOCK))
        scale = torch.zeros(grid)
        for i in range(grid[0]):
            for j in range(grid[1]):
                block = tensor[i * FP8_BLOCK : (i + 1) * FP8_BLOCK, j * FP8_BLOCK : (j + 1) * FP8_BLOCK]
                scale[i, j] = block.abs().max() / FP8_MAX
        wide = scale.repeat_interleave(FP8_BLOCK, 0)[:rows].repeat_interleave(FP8_BLOCK, 1)[:, :columns]
        small = (tensor / wide).to(torch.float8_e4m3fn)
        stored[name], stored[f"{name}_scale_inv"] = small, scale
        meant[name] = small.float() * wide
    return stored, meant


def quantize_mxfp4(tensors):
    """As GPT-OSS stores its experts: with inputs last, a power of two for each 32 of them, and two numbers in a byte."""
    numbers = torch.tensor(MXFP4 + tuple(-number for number in MXFP4))
    stored, meant = {}, {}
    for name, tensor in tensors.items():
        if not name.endswith(("experts.gate_up_proj", "experts.down_proj")):
            stored[name] = meant[name] = tensor
            continue
        blocks = tensor.transpose(1, 2).unflatten(-1, (-1, MXFP4_BLOCK))
        exponent = blocks.abs().amax(-1).log2().floor() - 2
        scaled = blocks / 2 ** exponent[..., None]
        codes = (scaled[..., None] - numbers).abs().argmin(-1)
        stored[f"{name}_blocks"] = (codes[..., 0::2] + 16 * codes[..., 1::2]).to(torch.uint8)
        stored[f"{name}_scales"] = (exponent + 127).to(torch.uint8)
        meant[name] = (numbers[codes] * 2 ** exponent[..., None]).flatten(-2).transpose(1, 2).contiguous()
    return stored, meant


def use_old_names(path):
    """Rewrites a config.json as versions of transformers before 5 wrote it."""
    config = json.loads(path.read_text())
    config["torch_dtype"] = config.pop("dtype")
    parameters = config.pop("rope_parameters")
    if "full_attention" in parameters:
        config["rope_local_base_freq"] = parameters["sliding_attention"]["rope_theta"]
        parameters = parameters["full_attention"]
    if "num_local_experts" in config and config["model_type"].startswith("qwen"):
        config["num_experts"] = config.pop("num_local_experts")
    config["rope_theta"] = parameters.pop("rope_theta")
    scaled = parameters["rope_type"] != "default"
    config["rope_scaling"] = parameters if scaled else None
    path.write_text(json.dumps(config, indent=2, sort_keys=True) + "\n")


def store(case, folder):
    """Writes the folder; gives the model as `from_pretrained` reads it, in f32."""
    config = getattr(transformers, case.config)(**case.configuration())
    config.architectures = [case.model]
    torch.manual_seed(0)
    model = getattr(transformers, case.model)(config).eval()
    randomize(model, case.name)
    model.tie_weights()
    kind = torch.float32 if case.stored in QUANTIZATION else getattr(torch, case.stored)
    body = model.to(kind)
    (body.model if case.pooling else body).save_pretrained(folder, max_shard_size=case.shard)
    tokenizer().save_pretrained(folder)
    if case.old_names:
        use_old_names(folder / "config.json")
    if case.pooling:
        (folder / "1_Pooling").mkdir()
        pooling = {
            "word_embedding_dimension": config.hidden_size,
            "pooling_mode_cls_token": False,
            "pooling_mode_mean_tokens": case.pooling == "mean",
            "pooling_mode_lasttoken": case.pooling == "lasttoken",
            "include_prompt": True,
        }
        (folder / "1_Pooling" / "config.json").write_text(json.dumps(pooling, indent=2) + "\n")
        modules = [("", "Transformer"), ("1_Pooling", "Pooling"), ("2_Normalize", "Normalize")]
        modules = [
            {"idx": number, "name": str(number), "path": path, "type": f"sentence_transformers.models.{kind}"}
            for number, (path, kind) in enumerate(modules)
        ]
        (folder / "modules.json").write_text(json.dumps(modules, indent=2) + "\n")

    kind = transformers.AutoModel if case.pooling else getattr(transformers, case.model)
    source = folder
    with tempfile.TemporaryDirectory() as scratch:
        if case.stored in QUANTIZATION:  # of these numbers from_pretrained makes others, or needs a GPU
            quantize = {"fp8": quantize_fp8, "mxfp4": quantize_mxfp4}[case.stored]
            stored, meant = quantize(load_file(folder / "model.safetensors"))
            source = Path(scratch) / "meant"
            shutil.copytree(folder, source)
            save_file(meant, source / "model.safetensors", {"format": "pt"})
            save_file(stored, folder / "model.safetensors", {"format": "pt"})
            path = folder / "config.json"
            config = json.loads(path.read_text())
            config["quantization_config"] = QUANTIZATION[case.stored]
            path.write_text(json.dumps(config, indent=2, sort_keys=True) + "\n")
        loaded, report = kind.from_pretrained(
            source, dtype=torch.float32, attn_implementation="eager", output_loading_info=True
        )
    assert not report["missing_keys"] and not report["unexpected_keys"], report
    return loaded.eval()


@torch.inference_mode()
def greedy(model, prompt):
    """The likeliest token, 64 times; then the logits of all of them in one pass without a cache."""
    tokens, cache, fresh = list(prompt), None, list(prompt)
    for _ in range(STEPS):
        result = model(torch.tensor([fresh]), past_key_values=cache, use_cache=True)
        cache, fresh = result.past_key_values, [int(result.logits[0, -1].argmax())]
        tokens += fresh
    logits = model(torch.tensor([tokens[:-1]]), use_cache=False).logits[0, len(prompt) - 1 :].float()
    answer = torch.tensor(tokens[len(prompt) :], dtype=torch.int32)
    assert logits.isfinite().all()
    two = logits.topk(2).values
    gap = float((two[:, 0] - two[:, 1]).min() / logits.abs().max())
    sure = gap >= GAP and bool((logits.argmax(-1) == answer).all()) and len(answer.unique()) >= VARIETY
    return answer, logits, sure


def golden_of_language_model(case, model):
    golden = {}
    for number, length in enumerate(LENGTHS):
        for attempt in range(50):
            prompt = torch.randint(0, VOCAB, (length,), generator=seeded("prompt", case.name, number, attempt))
            answer, logits, sure = greedy(model, prompt.tolist())
            if sure:
                break
        else:
            raise SystemExit(f"{case.name}: no prompt of {length} tokens gives clear and varied answers")
        golden[f"prompt.{number}"] = prompt.to(torch.int32)
        golden[f"greedy.{number}"] = answer
        golden[f"logits.{number}"] = logits.contiguous()
    return golden


@torch.inference_mode()
def golden_of_embedding_model(case, model):
    golden = {}
    for number, length in enumerate(LENGTHS):
        prompt = torch.randint(0, VOCAB, (length,), generator=seeded("prompt", case.name, number))
        states = model(prompt[None], use_cache=False).last_hidden_state[0]
        vector = states[-1] if case.pooling == "lasttoken" else states.mean(0)
        golden[f"prompt.{number}"] = prompt.to(torch.int32)
        golden[f"embedding.{number}"] = torch.nn.functional.normalize(vector, dim=0).contiguous()
    return golden


def main():
    out, wanted = Path(sys.argv[1]), sys.argv[2:]
    unknown = set(wanted) - {case.name for case in CASES}
    if unknown:
        raise SystemExit(f"no such case: {', '.join(sorted(unknown))}")
    transformers.logging.set_verbosity_error()
    transformers.logging.disable_progress_bar()
    torch.set_num_threads(1)
    for case in CASES:
        if wanted and case.name not in wanted:
            continue
        folder = out / case.name
        shutil.rmtree(folder, ignore_errors=True)
        folder.mkdir(parents=True)
        model = store(case, folder)
        make = golden_of_embedding_model if case.pooling else golden_of_language_model
        save_file(make(case, model), folder / "golden.safetensors")
        print(case.name, flush=True)


main()
