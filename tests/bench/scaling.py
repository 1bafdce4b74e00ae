#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""What one prompt costs at growing lengths, beside what --dry-run says it would cost.

    scaling.py --lengths 1000,2000,4000,8000 models/SmolLM2-135M-Instruct
    scaling.py --lengths 4000,16000,64000 out/long          (a model of data/make_random_model.py)
    scaling.py --lengths 2000 --methods full,snapkv,h2o --budgets 3%,12%,50% out/width-*

Whole runs of kv-eval: prefill and decode step from its results, peak memory of the process less what the
program takes with nothing to do. Measured / predicted in brackets. Memory per token is the slope from the
first to the last length.
"""
import argparse
import json
import os
import pathlib
import re
import subprocess
import sys
import tempfile

ROOT = pathlib.Path(__file__).resolve().parents[2]
NEW_TOKENS = 16
UNITS = {"B": 1, "KiB": 1 << 10, "MiB": 1 << 20, "GiB": 1 << 30, "ms": 1e-3, "s": 1, "min": 60, "h": 3600}


def run(command):
    """Output and peak memory in bytes; a failure ends the script with its message."""
    with tempfile.TemporaryFile("w+") as out:
        process = subprocess.Popen(command, stdout=out)
        _, status, usage = os.wait4(process.pid, 0)
        if status:
            sys.exit(f"failed: {' '.join(command)}")
        out.seek(0)
        return out.read(), usage.ru_maxrss * 1024


def predictions(text):
    """The lines of --dry-run that are a name and a number with its unit."""
    found = re.findall(rf"^  (\w+): ([\d.]+) ({'|'.join(UNITS)})$", text, re.M)
    memory, time = found[: [name for name, *_ in found].index("prefill")], found
    values = {f"memory.{name}": float(number) * UNITS[unit] for name, number, unit in memory}
    return values | {name: float(number) * UNITS[unit] for name, number, unit in time[len(memory):]}


def write_prompt(folder, words):
    """A jsonl task of one prompt of the project's own essays, over and over."""
    essays = sorted((ROOT / "data/haystacks").rglob("*.txt"))
    text = " ".join(path.read_text() for path in essays).split(" ")
    text = (text * (words // len(text) + 1))[:words]
    record = {"id": str(words), "prompt": " ".join(text), "chat": False,  # to be gone on with
              "answers": ["boats"], "metric": "qa_f1_score", "max_new_tokens": NEW_TOKENS}
    path = pathlib.Path(folder) / f"{words}.jsonl"
    path.write_text(json.dumps(record) + "\n")
    return path


def measure(arguments, model, length, idle_bytes, folder):
    """One line of the table, and (tokens, bytes) for the slope."""
    prompt = write_prompt(folder, int(length / arguments.tokens_per_word))
    command = [str(arguments.build / "bin/kv-eval"), "--model", str(model), "--tasks", f"jsonl:{prompt}",
               "--methods", arguments.methods, "--budgets", arguments.budgets, "--no-fidelity", "-q"]
    expected = predictions(run([*command, "--dry-run"])[0])
    output, peak = run([*command, "--json", "-"])
    full = next(cell for cell in json.loads(output)["cells"] if cell["method"] == "full")
    tokens, used = int(full["budget_tokens"]), peak - idle_bytes
    decoding = NEW_TOKENS / full["decode_tokens_per_s"] * (1 if arguments.methods == "full" else arguments.variants)
    prefill = expected["prefill"] + expected["statistics"]
    columns = [f"{used / (1 << 20):8.0f} MiB ({used / expected['memory.in_all']:.2f})",
               f"{full['prefill_s']:8.2f} s ({full['prefill_s'] / prefill:.2f})",
               f"{1000 * decoding / NEW_TOKENS:8.1f} ms ({decoding / expected['decoding']:.2f})"]
    print(f"{model.name:24} {tokens:7} " + " ".join(f"{column:>22}" for column in columns), flush=True)
    return tokens, used


def main():
    parser = argparse.ArgumentParser(description=__doc__.split("\n\n")[0])
    parser.add_argument("models", nargs="+", type=pathlib.Path)
    parser.add_argument("--lengths", default="1000,2000,4000")
    parser.add_argument("--methods", default="full")
    parser.add_argument("--budgets", default="12%")
    parser.add_argument("--build", type=pathlib.Path, default=ROOT / "build/release")
    parser.add_argument("--tokens-per-word", type=float, default=1.16, help="of the models' tokenizer")
    arguments = parser.parse_args()
    listed = len(arguments.methods.split(","))
    arguments.variants = 1 + (listed - 1) * len(arguments.budgets.split(","))
    _, idle_bytes = run([str(arguments.build / "bin/kv-eval"), "--list-methods"])
    print(f"the program alone: {idle_bytes >> 20} MiB")
    print(f"{'model':24} {'tokens':>7} {'peak memory':>22} {'prefill':>22} {'a step':>22}")
    with tempfile.TemporaryDirectory() as folder:
        for model in arguments.models:
            points = [measure(arguments, model, int(length), idle_bytes, folder)
                      for length in arguments.lengths.split(",")]
            (first, least), (last, most) = points[0], points[-1]
            if last > first:
                print(f"{model.name:24} memory: {(most - least) / (last - first) / 1024:.1f} KiB a token")


if __name__ == "__main__":
    main()
