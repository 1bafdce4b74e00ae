# SPDX-License-Identifier: Apache-2.0
"""layer-budget: what CompressKV's eviction costs each layer, against a transformers loop.

Both evict the prompt to 32 tokens a layer by the four best semantic heads of each layer (window 8,
pool 5), answer with the full cache, and at each step attend with the same queries to what was kept:
error = ||(o_kept - o_full) W_o|| / ||o_full W_o||. The loop does it for two prompts of 2,000
tokens, its model already loaded; ours is timed as a command, with start and reading of the model.
That both measure the same shows in the layers with the largest errors. As it comes, the command
measures a curve of six budgets in the same pass; a script is run once for each, so its time is taken
six times.
"""

import json
import time

import eviction
from harness import at_least, share, times_faster
from prompts import MAX_NEW_TOKENS, write_prompts

PROMPTS, TOKENS = 2, 2000
BUDGET, WINDOW, KERNEL, VOTERS = 32, 8, 5, 4
CURVE = (16, 64, 128, 256, 512)  # the command's own, beside BUDGET
TOP = 10


def find_heads(bench, profile):
    """Writes a profile; [layers] of the best heads of each, by the same scores."""
    heads = bench.config["num_attention_heads"] * bench.config["num_hidden_layers"]
    finished = bench.run("srh-identify", "--model", bench.model, "--output", profile, "--force", "--lengths", 500,
                         "--depths", "0.5", "--needles-per-cell", 2, "--dtype", "bf16", "--threads", bench.threads,
                         "--top", heads, "--quiet", "--json", "-")
    best = [[] for _ in range(bench.config["num_hidden_layers"])]
    for row in json.loads(finished.output)["kinds"]["semantic"]["top"]:
        best[row["layer"]].append(row["head"])
    return [of_layer[:VOTERS] for of_layer in best]


def measure_ours(bench, profile, tasks, curve):
    finished = bench.run("layer-budget", "--model", bench.model, "--profile", profile, "--force", "--tasks",
                         f"jsonl:{tasks}", "--error-budget", BUDGET, "--error-curve", *curve, "--budgets", 64,
                         "--dtype", "bf16", "--threads", bench.threads, "--quiet", "--json", "-")
    errors = json.loads(finished.output)["errors"][f"jsonl:{tasks}"]
    return finished.seconds / PROMPTS, [total / errors["steps"] for total in errors["sum"]]


def add_errors(peer, ids, voters, errors):
    """Adds the errors of the steps of one prompt to `errors`; their number."""
    torch = peer.torch
    cache, logits = peer.prefill(ids)
    kept, steps = [], 0
    for layer, heads in enumerate(voters):
        keys, values = cache.layers[layer].keys[0], cache.layers[layer].values[0]
        votes = peer.window_mass(keys, layer, WINDOW, KERNEL)[heads].mean(0)
        tokens = peer.kept_tokens(votes, WINDOW, BUDGET).expand(keys.shape[0], -1)
        kept.append((eviction.take(keys, tokens), eviction.take(values, tokens)))

    def watch(module, attend, key, value, full):
        nonlocal steps
        steps += module.layer_idx == 0
        tail = lambda own, all: torch.cat([own[None], all[:, :, len(ids):]], 2)
        own_keys, own_values = kept[module.layer_idx]
        evicted = attend(tail(own_keys, key), tail(own_values, value))
        weight = module.o_proj.weight.float()
        project = lambda heads: heads.transpose(1, 2).flatten(2).float() @ weight.T
        errors[module.layer_idx] += (project(evicted) - project(full)).norm() / (project(full).norm() + 1e-5)

    peer.watch = watch
    peer.answer(cache, logits, len(ids), MAX_NEW_TOKENS)
    peer.watch = None
    return steps


def measure_peer(peer, prompts, voters):
    errors, start = peer.torch.zeros(peer.layers), time.monotonic()
    with peer.torch.inference_mode():
        steps = sum(add_errors(peer, ids, voters, errors) for ids in prompts)
    return (time.monotonic() - start) / PROMPTS, (errors / steps).tolist()


def largest(errors):
    return set(sorted(range(len(errors)), key=lambda layer: -errors[layer])[:TOP])


def rows(bench):
    peer = eviction.Evicting(bench)
    tasks, profile = bench.folder / "layers.jsonl", bench.folder / "layers.h5"
    prompts, voters = write_prompts(tasks, bench.tokenizer, TOKENS, PROMPTS), find_heads(bench, profile)
    results = bench.in_turns({"kvcal": lambda: measure_ours(bench, profile, tasks, [BUDGET]),
                              "curve": lambda: measure_ours(bench, profile, tasks, CURVE),
                              "peer": lambda: measure_peer(peer, prompts, voters)})
    (ours, our_errors), (theirs, their_errors) = (zip(*results[side]) for side in ("kvcal", "peer"))
    runs = len(CURVE) + 1
    yield times_faster(f"layer errors, prompts of {TOKENS} tokens", "s a prompt", list(ours), "transformers",
                       list(theirs))
    yield times_faster(f"their curve over {runs} budgets", "s a prompt", [seconds for seconds, _ in results["curve"]],
                       f"transformers, {runs} runs", [runs * seconds for seconds in theirs], at_least(10))
    yield share(f"of the {TOP} layers with the largest errors, found by both", "layers",
                [len(largest(our_errors[0]) & largest(their_errors[0]))], "all", [TOP], at_least(0.8))
