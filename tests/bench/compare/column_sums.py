# SPDX-License-Identifier: Apache-2.0
"""What H2O's exact column sums add to a prefill.

First token of the full cache, and with h2o at 10 %: prefill that sums the attention of every token,
scores, selection and compaction. One process, `kv-eval --measure-latency`.
"""

import json

from harness import at_most, share


def measure(bench, prompt):
    finished = bench.run(
        "kv-eval", "--model", bench.model, "--tasks", f"jsonl:{prompt}", "--dtype", "bf16",
        "--methods", "full,h2o", "--budgets", "10%", "--threads", bench.threads, "--measure-latency",
        "--latency-repeats", 1, "--latency-tokens", 1, "--no-fidelity", "--quiet", "--json", "-")
    return {row["method"]: row["ttft_s"] for row in json.loads(finished.output)["latency"]}


def rows(bench):
    prompt = bench.prompt(bench.tokens)
    turns = bench.in_turns({"both": lambda: measure(bench, prompt)})["both"]
    yield share(f"first token with h2o, {bench.tokens} tokens", "s", [turn["h2o"] for turn in turns],
                "full cache", [turn["full"] for turn in turns], at_most(1.6))
