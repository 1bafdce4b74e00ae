# SPDX-License-Identifier: Apache-2.0
"""Prefill and single decode: transformers (SDPA) and llama.cpp.

Ours is what `kv-eval --measure-latency` says of the full cache: first token (prefill, first logits)
and steps, after one that is not counted. Peers get the same ids, and one uncounted prompt too.
llama.cpp runs the file that the weights come from, and the same weights as bf16.
"""

import json

import peers
from harness import Skip, Skipped, at_least, times_faster

STEPS = 32
PREFILL_TARGETS = {"transformers": at_least(1.5), "llama.cpp": at_least(1), "llama.cpp bf16": at_least(1)}
DECODE_TARGETS = {"transformers": at_least(3)}


def time_ours(bench, prompt):
    finished = bench.run(
        "kv-eval", "--model", bench.model, "--tasks", f"jsonl:{prompt}", "--dtype", "bf16",
        "--methods", "full", "--threads", bench.threads, "--measure-latency", "--latency-repeats", 1,
        "--latency-tokens", STEPS, "--no-fidelity", "--quiet", "--json", "-")
    latency = json.loads(finished.output)["latency"][0]
    return peers.Steps(latency["ttft_s"], 1 / latency["tokens_per_s"])


def sides(bench, tokens):
    """Name and how to make the peer; making it tells whether it is there."""
    room = tokens + STEPS + 8
    return {
        "transformers": lambda: peers.Transformers(bench, "sdpa"),
        "llama.cpp": lambda: peers.LlamaCpp(bench, peers.stored_gguf(bench.folder), room),
        "llama.cpp bf16": lambda: peers.LlamaCpp(bench, peers.bf16_gguf(bench.folder), room),
    }


def rows(bench):
    prompt = bench.prompt(bench.tokens)
    ids = bench.ids(prompt)[0].tolist()
    turns = {"kvcal": lambda: time_ours(bench, prompt)}
    for name, make in sides(bench, len(ids)).items():
        try:
            peer = make()
        except Skip as skip:
            yield Skipped(f"beside {name}", str(skip))
            continue
        peer.time(ids, 1)
        turns[name] = lambda peer=peer: peer.time(ids, STEPS)
    results = bench.in_turns(turns)
    ours = results.pop("kvcal")
    for name, theirs in results.items():
        yield times_faster(f"prefill of {len(ids)} tokens", "s", [step.prefill_s for step in ours],
                           name, [step.prefill_s for step in theirs], PREFILL_TARGETS[name])
        yield times_faster("decode step behind it", "ms", [1000 * step.step_s for step in ours],
                           name, [1000 * step.step_s for step in theirs], DECODE_TARGETS.get(name))
