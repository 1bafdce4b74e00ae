# SPDX-License-Identifier: Apache-2.0
"""Peak resident memory of the commands at 1k, 2k, 4k and 8k tokens.

kv-eval is held against what its --dry-run predicts, with what a program needs before any weights
(libraries and the tokenizer). Of every command, how much a token adds from half the longest
prompt to the longest is held against the same from the shortest to half: 1 where memory is linear in
tokens, 4 where it is quadratic. Measured once: memory hardly varies.
"""

import re

import sweep
from harness import Skip, Skipped, at_most, share
from prompts import write_prompts

LENGTHS = (1000, 2000, 4000, 8000)
TUNE_PROMPTS = 3
UNITS = {"B": 2**-20, "KiB": 2**-10, "MiB": 1, "GiB": 2**10}
SWEEP = ["--methods", ",".join(["full", *sweep.METHODS]),
         "--budgets", ",".join(f"{share:.0%}" for share in sweep.SHARES)]


def common(bench):
    return ["--model", bench.model, "--dtype", "bf16", "--threads", bench.threads, "--quiet"]


def evaluate(bench, tokens, *flags):
    return ["kv-eval", *common(bench), "--tasks", f"jsonl:{bench.prompt(tokens)}", *flags]


def identify(bench, tokens):
    return ["srh-identify", *common(bench), "--output", bench.folder / "memory.h5", "--force",
            "--lengths", tokens, "--depths", "0.1,0.9", "--needles-per-cell", 1]


def find_heads(bench):
    """A profile for the commands that need one."""
    profile = bench.folder / "heads.h5"
    bench.run("srh-identify", *common(bench), "--output", profile, "--force", "--lengths", 500,
              "--depths", "0.5", "--needles-per-cell", 2)
    return profile


def measure_layers(bench, tokens):
    return ["layer-budget", *common(bench), "--force", "--profile", find_heads(bench), "--tasks",
            f"jsonl:{bench.prompt(tokens)}", "--budgets", 64]


def tune(bench, tokens):
    tasks = bench.folder / f"tune-{tokens}.jsonl"
    write_prompts(tasks, bench.tokenizer, tokens, TUNE_PROMPTS)
    return ["kv-tune", *common(bench), "--force", "--profile", find_heads(bench), "--tasks", f"jsonl:{tasks}",
            "--spaces", "snapkv", "--budgets", "6%", "--random-points", 4, "--rounds", 1]


COMMANDS = {
    "kv-eval, full": lambda bench, tokens: evaluate(bench, tokens, "--methods", "full"),
    "kv-eval, sweep": lambda bench, tokens: evaluate(bench, tokens, *SWEEP),
    "srh-identify": identify,
    "layer-budget": measure_layers,
    "kv-tune": tune,
}


def predict(bench, command):
    """MiB by the dry run of a command; None where it does not say. The dry run's own memory tells
    nothing: it measures the machine."""
    found = re.search(r"^memory:.*?\n  in_all: ([\d.]+) (\w+)$", bench.run(*command, "--dry-run").output,
                      re.MULTILINE | re.DOTALL)
    return found and float(found[1]) * UNITS[found[2]]


def growth(peaks, first, last):
    """MiB a thousand tokens."""
    return 1000 * (peaks[last] - peaks[first]) / (last - first)


def rows(bench):
    program = bench.run("kv-inspect", "tokens", bench.model, stdin="a word").peak_mib
    for name, make in COMMANDS.items():
        try:
            peaks = {}
            for tokens in LENGTHS:
                command = make(bench, tokens)
                peaks[tokens] = bench.run(*command).peak_mib
                predicted = predict(bench, command)
                if predicted:
                    yield share(f"{name}, {tokens} tokens", "MiB", [peaks[tokens]], "prediction",
                                [program + predicted], at_most(1.1))
            half = LENGTHS[-2]
            yield share(f"{name}, {half} to {LENGTHS[-1]} tokens", "MiB a 1000 tokens",
                        [growth(peaks, half, LENGTHS[-1])], f"{LENGTHS[0]} to {half}",
                        [growth(peaks, LENGTHS[0], half)], at_most(1.25))
        except Skip as skip:
            yield Skipped(name, str(skip))
