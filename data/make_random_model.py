#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Make a model directory with random weights: what a shape costs is known before its weights are.

    make_random_model.py --shape llama-1b --tokenizer models/SmolLM2-135M-Instruct --output out/llama-1b
    make_random_model.py --layers 8 --hidden 256 --heads 4 --kv-heads 2 --intermediate 512 --vocab 49152 \\
        --max-tokens 65536 --tokenizer models/SmolLM2-135M-Instruct --output out/small

Llama's architecture in bf16. The tokenizer is another model's; rows of the vocabulary beyond it are zero, so
that no such token is ever the likeliest. Needs numpy. Exit status: 0 done, 2 usage, 3 any other failure.
"""

import argparse
import json
import math
import shutil
import sys
from pathlib import Path

import numpy

# The shapes of published models; numbers given beside --shape replace its own.
SHAPES = {
    "smollm2-135m": dict(layers=30, hidden=576, heads=9, kv_heads=3, intermediate=1536, vocab=49152,
                         max_tokens=8192, rope_theta=100000.0, tied=True),
    "llama-1b": dict(layers=16, hidden=2048, heads=32, kv_heads=8, intermediate=8192, vocab=128256,
                     max_tokens=131072, rope_theta=500000.0, tied=True, llama31_factor=32.0),
    "llama-3b": dict(layers=28, hidden=3072, heads=24, kv_heads=8, intermediate=8192, vocab=128256,
                     max_tokens=131072, rope_theta=500000.0, tied=True, llama31_factor=32.0),
    "llama-8b": dict(layers=32, hidden=4096, heads=32, kv_heads=8, intermediate=14336, vocab=128256,
                     max_tokens=131072, rope_theta=500000.0, tied=False, llama31_factor=8.0),
}
TOKENIZER_FILES = ("tokenizer.json", "tokenizer_config.json", "chat_template.jinja")
DRAW_NUMBERS = 1 << 22  # at once: bounds the memory


def model_config(shape, stop_ids):
    """config.json as transformers writes it."""
    rope = {"rope_type": "default", "rope_theta": shape["rope_theta"]}
    if shape.get("llama31_factor"):
        rope |= {"rope_type": "llama3", "factor": shape["llama31_factor"], "low_freq_factor": 1.0,
                 "high_freq_factor": 4.0, "original_max_position_embeddings": 8192}
    return {
        "architectures": ["LlamaForCausalLM"], "model_type": "llama", "dtype": "bfloat16",
        "num_hidden_layers": shape["layers"], "hidden_size": shape["hidden"],
        "num_attention_heads": shape["heads"], "num_key_value_heads": shape["kv_heads"],
        "head_dim": shape["head_dim"], "intermediate_size": shape["intermediate"],
        "vocab_size": shape["vocab"], "max_position_embeddings": shape["max_tokens"],
        "rms_norm_eps": 1e-5, "rope_parameters": rope, "tie_word_embeddings": shape["tied"],
        "eos_token_id": stop_ids,
    }


def tensor_shapes(shape):
    """Name -> shape, in the order of the file."""
    hidden, width = shape["hidden"], shape["heads"] * shape["head_dim"]
    kv_width, between = shape["kv_heads"] * shape["head_dim"], shape["intermediate"]
    tensors = {"model.embed_tokens.weight": (shape["vocab"], hidden)}
    for layer in range(shape["layers"]):
        parts = {
            "input_layernorm": (hidden,), "self_attn.q_proj": (width, hidden),
            "self_attn.k_proj": (kv_width, hidden), "self_attn.v_proj": (kv_width, hidden),
            "self_attn.o_proj": (hidden, width), "post_attention_layernorm": (hidden,),
            "mlp.gate_proj": (between, hidden), "mlp.up_proj": (between, hidden),
            "mlp.down_proj": (hidden, between),
        }
        tensors |= {f"model.layers.{layer}.{name}.weight": size for name, size in parts.items()}
    tensors["model.norm.weight"] = (hidden,)
    if not shape["tied"]:
        tensors["lm_head.weight"] = (shape["vocab"], hidden)
    return tensors


def draw(generator, size, used_rows):
    """bf16 bytes in pieces: norms are 1, rows have a length near 1, those not used are zero."""
    if len(size) == 1:
        yield b"\x80\x3f" * size[0]
        return
    scale = numpy.float32(1 / math.sqrt(size[1]))
    rows_at_once = max(1, DRAW_NUMBERS // size[1])
    for begin in range(0, size[0], rows_at_once):
        rows = min(rows_at_once, size[0] - begin)
        values = generator.standard_normal((rows, size[1]), dtype=numpy.float32) * scale
        values[max(0, used_rows - begin):] = 0
        yield (values.view("<u4") >> 16).astype("<u2").tobytes()  # bf16 is the upper half of f32


def write_weights(shape, used_ids, seed, path):
    """Tensor by tensor, so that memory stays small."""
    tensors, header, end = tensor_shapes(shape), {"__metadata__": {"format": "pt"}}, 0
    for name, size in tensors.items():
        begin, end = end, end + 2 * math.prod(size)
        header[name] = {"dtype": "BF16", "shape": size, "data_offsets": [begin, end]}
    text = json.dumps(header, separators=(",", ":")).encode()
    text += b" " * (-len(text) % 8)
    generator = numpy.random.default_rng(seed)
    with open(path, "wb") as file:
        file.write(len(text).to_bytes(8, "little") + text)
        for size in tensors.values():
            used_rows = used_ids if size[0] == shape["vocab"] else size[0]
            for piece in draw(generator, size, used_rows):
                file.write(piece)


def tokenizer_facts(directory):
    """Number of ids, and the ids that end a generation."""
    tokenizer = json.loads((directory / "tokenizer.json").read_text(encoding="utf-8"))
    ids = set(tokenizer["model"]["vocab"].values()) | {t["id"] for t in tokenizer["added_tokens"]}
    config = json.loads((directory / "config.json").read_text(encoding="utf-8"))
    return max(ids) + 1, config.get("eos_token_id")


def make(args):
    """Write the directory."""
    shape = dict(SHAPES.get(args.shape, {}), **{k: v for k, v in vars(args).items() if v is not None})
    missing = [key for key in SHAPES["llama-1b"] if key not in shape and key not in ("llama31_factor", "tied")]
    if missing:
        raise SystemExit(f"give --shape, or --{missing[0].replace('_', '-')} too")
    shape.setdefault("head_dim", shape["hidden"] // shape["heads"])
    shape.setdefault("tied", False)
    used_ids, stop_ids = shape["vocab"], None
    if args.tokenizer:
        used_ids, stop_ids = tokenizer_facts(args.tokenizer)
        if used_ids > shape["vocab"]:
            raise ValueError(f"the tokenizer has {used_ids} ids, the vocabulary {shape['vocab']}")
    args.output.mkdir(parents=True)
    for name in TOKENIZER_FILES if args.tokenizer else ():
        if (args.tokenizer / name).exists():
            shutil.copyfile(args.tokenizer / name, args.output / name)
    text = json.dumps(model_config(shape, stop_ids), indent=2)
    (args.output / "config.json").write_text(text + "\n", encoding="utf-8")
    if not args.config_only:
        write_weights(shape, used_ids, args.seed, args.output / "model.safetensors")


def parse(argv):
    """The command line."""
    parser = argparse.ArgumentParser(description=__doc__.split("\n\n")[0])
    parser.add_argument("--output", type=Path, required=True, help="a folder that is not there yet")
    parser.add_argument("--shape", choices=sorted(SHAPES))
    for name in ("layers", "hidden", "heads", "kv-heads", "head-dim", "intermediate", "vocab", "max-tokens"):
        parser.add_argument(f"--{name}", type=int)
    parser.add_argument("--rope-theta", type=float)
    parser.add_argument("--llama31-factor", type=float, help="of Llama 3.1's RoPE scaling; 0: none")
    parser.add_argument("--tied", action=argparse.BooleanOptionalAction, default=None,
                        help="lm_head is the embedding")
    parser.add_argument("--tokenizer", type=Path, metavar="DIR", help="a model directory to take it from")
    parser.add_argument("--config-only", action="store_true", help="no weights: enough for a prediction")
    parser.add_argument("--seed", type=int, default=0)
    return parser.parse_args(argv)


def main(argv=None):
    """Run; a failure is one line and exit status 3."""
    args = parse(argv)
    try:
        make(args)
        return 0
    except SystemExit as error:
        print(f"make_random_model.py: {error}", file=sys.stderr)
        return 2
    except (OSError, ValueError, KeyError) as error:
        print(f"make_random_model.py: {error}", file=sys.stderr)
        return 3


if __name__ == "__main__":
    sys.exit(main())
