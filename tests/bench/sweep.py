#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Whole commands against a peer, on the same prompts in one run.

  full    kv-eval, the full cache alone
  sweep   kv-eval, the full cache and 8 methods x 5 budgets
  kvpress transformers with kvpress, one prefill for each of the same 41 configurations

kv-eval is timed as a command: start, hashing and reading of the model, table and all. The peer is
timed from prompt ids to answer ids, its model already loaded. Both greedy, bf16, the same number of
threads, which sleep while they wait. How many tokens an answer has is for each model to decide.
"""

import argparse
import os
import statistics
import tempfile
import time
from pathlib import Path

from harness import Skip, finish, set_environment
from prompts import MAX_NEW_TOKENS, ROOT, ids_of, write_prompt

# method of kv-eval: press of kvpress
METHODS = {
    "snapkv": "SnapKVPress",
    "streaming_llm": "StreamingLLMPress",
    "knorm": "KnormPress",
    "tova": "TOVAPress",
    "keydiff": "KeyDiffPress",
    "expected_attention": "ExpectedAttentionPress",
    "pyramidkv": "PyramidKVPress",
    "random": "RandomPress",
}
SHARES = [0.03, 0.06, 0.12, 0.25, 0.5]  # of the prompt, kept
FEW = [("snapkv", 0.03), ("streaming_llm", 0.12), ("expected_attention", 0.12), ("knorm", 0.5)]


def parse_flags():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--kv-eval", type=Path, default=ROOT / "build/release/bin/kv-eval")
    parser.add_argument("--model", type=Path, default=ROOT / "models/SmolLM2-135M-Instruct")
    parser.add_argument("--prompts", type=int, default=2)
    parser.add_argument("--tokens", type=int, default=4000)
    parser.add_argument("--threads", type=int, default=os.cpu_count())
    parser.add_argument("--all", action="store_true",
                        help=f"run all {len(METHODS) * len(SHARES)} configurations of the peer, "
                        f"not {len(FEW)} and a projection")
    parser.add_argument("--no-peer", action="store_true", help="kv-eval alone")
    return parser.parse_args()


# --- kv-eval -----------------------------------------------------------------------------------


def run_kv_eval(flags, prompt, methods, measures_fidelity):
    """Wall seconds and peak memory of one command."""
    command = [flags.kv_eval, "--model", flags.model, "--tasks", f"jsonl:{prompt}", "--dtype", "bf16",
               "--methods", ",".join(methods), "--budgets", ",".join(f"{s:.0%}" for s in SHARES),
               "--quiet"] + ([] if measures_fidelity else ["--no-fidelity"])
    try:
        finished = finish(command)
    except Skip as skip:
        raise SystemExit(f"sweep.py: {skip}") from skip
    return finished.seconds, finished.peak_mib


def time_kv_eval(flags, prompt):
    seconds, memory = {}, {}
    for suffix, measures_fidelity in (("", False), (" + fidelity", True)):
        for name, methods in (("full", ["full"]), ("sweep", ["full", *METHODS])):
            key = name + suffix
            seconds[key], memory[key] = run_kv_eval(flags, prompt, methods, measures_fidelity)
    return seconds, memory


# --- kvpress -----------------------------------------------------------------------------------


class Peer:
    def __init__(self, flags, tokenizer):
        import kvpress
        import torch
        import transformers

        torch.set_num_threads(flags.threads)
        transformers.logging.set_verbosity_error()
        self.torch, self.kvpress, self.tokenizer = torch, kvpress, tokenizer
        self.new_cache = transformers.DynamicCache
        self.model = transformers.AutoModelForCausalLM.from_pretrained(
            flags.model, dtype=torch.bfloat16, attn_implementation="sdpa").eval()

    def run(self, ids, press):
        """Seconds of prefill, compression and answer, as KVPressTextGenerationPipeline does it."""
        import contextlib

        cache, start = self.new_cache(), time.monotonic()
        with self.torch.inference_mode():
            with press(self.model) if press else contextlib.nullcontext():
                self.model.model(input_ids=ids[:, :-1], past_key_values=cache)
            token, position = ids[:, -1:], ids.shape[1] - 1
            for step in range(MAX_NEW_TOKENS):
                logits = self.model(input_ids=token, past_key_values=cache,
                                    position_ids=self.torch.tensor([[position + step]])).logits
                token = logits[:, -1:].argmax(-1)
                if token.item() == self.model.generation_config.eos_token_id:
                    break
        return time.monotonic() - start

    def time(self, prompt, configurations):
        """Seconds of 1 + 40 configurations; of fewer, projected from their mean."""
        ids = ids_of(prompt, self.tokenizer)
        full = self.run(ids, None)
        each = [self.run(ids, getattr(self.kvpress, METHODS[method])(compression_ratio=1 - share))
                for method, share in configurations]
        return full, full + statistics.mean(each) * len(METHODS) * len(SHARES)


# --- table -------------------------------------------------------------------------------------


def row(name, numbers, unit=""):
    middle, low, high = statistics.median(numbers), min(numbers), max(numbers)
    print(f"{name:<38}{middle:>9.2f}{low:>9.2f}{high:>9.2f} {unit}", flush=True)


def print_table(runs, memory, configurations):
    of = lambda key: [run[key] for run in runs]
    ratio = lambda a, b: [run[a] / run[b] for run in runs]
    print(f"\n{'of ' + str(len(runs)) + ' prompts':<38}{'median':>9}{'least':>9}{'most':>9}")
    for key in runs[0]:
        row(key, of(key), "s a prompt")
    row("sweep / full", ratio("sweep", "full"))
    row("the same with fidelity", ratio("sweep + fidelity", "full + fidelity"))
    if "kvpress" in runs[0]:
        row("kvpress / sweep", ratio("kvpress", "sweep"))
        row("kvpress / sweep + fidelity", ratio("kvpress", "sweep + fidelity"))
    for key in memory[0]:
        row(f"peak memory of {key}", [of_prompt[key] for of_prompt in memory], "MiB")
    whole = len(METHODS) * len(SHARES)
    if "kvpress" in runs[0] and len(configurations) < whole:
        print(f"kvpress: full + {whole} x the mean of {len(configurations)} measured configurations "
              "(--all measures all)")


def main():
    flags = parse_flags()
    set_environment(flags.threads)
    import transformers

    transformers.logging.set_verbosity_error()
    tokenizer = transformers.AutoTokenizer.from_pretrained(flags.model)
    peer = None if flags.no_peer else Peer(flags, tokenizer)
    every = [(method, share) for method in METHODS for share in SHARES]
    configurations = every if flags.all else FEW
    runs, memory = [], []
    with tempfile.TemporaryDirectory(prefix="kvcal-sweep-") as folder:
        for i in range(flags.prompts):
            prompt = write_prompt(Path(folder) / f"{i}.jsonl", tokenizer, flags.tokens, i)
            seconds, peak = time_kv_eval(flags, prompt)
            if peer:
                seconds["kvpress, full alone"], seconds["kvpress"] = peer.time(prompt, configurations)
            runs.append(seconds)
            memory.append(peak)
            print(", ".join(f"{key} {value:.1f} s" for key, value in seconds.items()), flush=True)
    load = os.getloadavg()
    print(f"\n{flags.tokens} tokens, {flags.threads} threads, load {load[0]:.1f} {load[1]:.1f} {load[2]:.1f}")
    print_table(runs, memory, configurations)


if __name__ == "__main__":
    main()
