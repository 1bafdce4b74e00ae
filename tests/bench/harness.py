# SPDX-License-Identifier: Apache-2.0
"""What a comparison is made of: rows, targets, and the two sides measured in turns."""

import functools
import json
import os
import statistics
import subprocess
import sys
import tempfile
from dataclasses import dataclass
from pathlib import Path

import prompts


def set_environment(threads):
    """As the programs do by themselves; libgomp reads it when torch is loaded, children inherit it."""
    os.environ.update(OMP_NUM_THREADS=str(threads), RAYON_NUM_THREADS="1", TOKENIZERS_PARALLELISM="false",
                      HF_HUB_OFFLINE="1", HF_HUB_DISABLE_PROGRESS_BARS="1", TQDM_DISABLE="1",
                      TRANSFORMERS_VERBOSITY="error")
    os.environ.setdefault("OMP_WAIT_POLICY", "passive")
    os.environ.setdefault("GOMP_SPINCOUNT", "1000")


class Skip(Exception):
    """A comparison, or one peer of it, cannot be run here; the text says why."""


@dataclass(frozen=True)
class Target:
    """What the median ratio has to reach."""

    limit: float
    is_least: bool

    def is_met(self, ratio):
        return ratio >= self.limit if self.is_least else ratio <= self.limit

    def __str__(self):
        return f"{'>=' if self.is_least else '<='} {self.limit:g}"


def at_least(limit):
    return Target(limit, True)


def at_most(limit):
    return Target(limit, False)


@dataclass(frozen=True)
class Row:
    """One line of the table; the lists have one number a turn."""

    what: str
    unit: str
    ours: list
    peer_name: str
    peer: list
    ratio_name: str
    ratio: list
    target: Target | None = None

    @property
    def is_met(self):
        return None if self.target is None else self.target.is_met(statistics.median(self.ratio))


@dataclass(frozen=True)
class Skipped:
    """Stands where a row would be."""

    what: str
    why: str


def times_faster(what, unit, ours, peer_name, peer, target=None):
    """Of durations: how many times longer the peer takes."""
    ratio = [theirs / own for own, theirs in zip(ours, peer, strict=True)]
    return Row(what, unit, ours, peer_name, peer, "peer / ours", ratio, target)


def share(what, unit, ours, peer_name, peer, target=None):
    """Of rates and sizes: ours as a part of the peer's, or of a limit."""
    ratio = [own / theirs for own, theirs in zip(ours, peer, strict=True)]
    return Row(what, unit, ours, peer_name, peer, "ours / peer", ratio, target)


@dataclass(frozen=True)
class Finished:
    """A command that ended well."""

    seconds: float
    peak_mib: float
    output: str


class Bench:
    """What every comparison is given: where things are, how often to measure, and how."""

    def __init__(self, flags, folder):
        self.flags, self.folder = flags, folder
        self.model, self.threads = flags.model, flags.threads
        self.tokens, self.repeats = flags.tokens, flags.repeats
        self.config = json.loads((flags.model / "config.json").read_text())

    @functools.cached_property
    def tokenizer(self):
        import transformers

        return transformers.AutoTokenizer.from_pretrained(self.model)

    def prompt(self, tokens, number=0):
        """A task file with one prompt."""
        path = self.folder / f"{tokens}-{number}.jsonl"
        return path if path.exists() else prompts.write_prompt(path, self.tokenizer, tokens, number)

    def ids(self, prompt):
        return prompts.ids_of(prompt, self.tokenizer)

    def in_turns(self, sides):
        """Calls each side once a turn, and not one side's turns first: a machine that becomes slower
        makes both slower.

        sides: name -> function. Returns name -> its results, one a turn.
        """
        results = {name: [] for name in sides}
        for _ in range(self.repeats):
            for name, measure in sides.items():
                results[name].append(measure())
        return results

    def run(self, program, *arguments, stdin=""):
        """Runs one of our programs to its end; anything but success ends the comparison."""
        return finish([self.flags.build / "bin" / program, *arguments], stdin)

    def kernels(self, program, pattern):
        """Runs those of a Google Benchmark program that match; name -> what it says of each."""
        command = [self.flags.build / "bench" / program, f"--benchmark_filter={pattern}",
                   "--benchmark_format=json"]
        rows = json.loads(finish(command).output)["benchmarks"]
        for row in rows:
            if row.get("error_occurred"):
                raise Skip(row["error_message"])
        return {row["name"]: row for row in rows}


def finish(command, stdin=""):
    """Runs a command to its end; anything but success raises Skip with its last line."""
    with tempfile.NamedTemporaryFile("w+") as measured:
        timed = [sys.executable, "-I", "-S", str(Path(__file__).with_name("timed.py")), measured.name]
        done = subprocess.run([*timed, *map(str, command)], input=stdin, capture_output=True, text=True)
        if done.returncode != 0:
            last = (done.stderr.strip().splitlines() or ["no message"])[-1]
            raise Skip(f"{Path(command[0]).name} ended with {done.returncode}: {last}")
        seconds, peak_kib = measured.read().split()
    return Finished(float(seconds), float(peak_kib) / 1024, done.stdout)
