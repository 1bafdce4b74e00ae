#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Ours against peers and the machine's limits, on the same model, prompts, dtype and threads.

Each file of compare/ is a comparison: a docstring that says what is measured, and `rows(bench)`,
which yields the lines of its table.
"""

import argparse
import importlib
import os
import platform
import tempfile
import time
from pathlib import Path

from harness import set_environment
from prompts import ROOT

NAMES = sorted(path.stem for path in (Path(__file__).parent / "compare").glob("*.py"))


def parse_flags():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("names", nargs="*", metavar="NAME", help=f"of {', '.join(NAMES)}; all if none")
    parser.add_argument("--build", type=Path, default=ROOT / "build/release")
    parser.add_argument("--model", type=Path, default=ROOT / "models/SmolLM2-135M-Instruct")
    parser.add_argument("--tokens", type=int, default=4000, help="of a prompt, where nothing else is said")
    parser.add_argument("--repeats", type=int, default=3, help="turns")
    parser.add_argument("--threads", type=int, default=os.cpu_count())
    parser.add_argument("--output", type=Path, default=ROOT / "out/bench")
    flags = parser.parse_args()
    for name in flags.names:
        if name not in NAMES:
            parser.error(f"no comparison '{name}', need one of {', '.join(NAMES)}")
    return flags


def describe_machine(flags):
    names = [line.split(": ")[1] for line in Path("/proc/cpuinfo").read_text().splitlines()
             if line.startswith("model name")]
    return {"cpu": names[0] if names else platform.machine(), "threads": flags.threads,
            "model": flags.model.name, "date": time.strftime("%Y-%m-%d"),
            "load": " ".join(f"{load:.1f}" for load in os.getloadavg())}


def run(name, bench):
    """Title, what is said of it, and rows; what cannot be run here is one row that says why."""
    from harness import Skip, Skipped
    from page import as_text

    module = importlib.import_module(f"compare.{name}")
    title, _, about = module.__doc__.partition("\n")
    print(f"\n{name}: {title}", flush=True)
    rows = []
    try:
        for row in module.rows(bench):
            rows.append(row)
            print(as_text(row), flush=True)
    except Skip as skip:
        rows.append(Skipped(name, str(skip)))
        print(as_text(rows[-1]), flush=True)
    return title, about.strip(), rows


def main():
    flags = parse_flags()
    set_environment(flags.threads)
    import page
    from harness import Bench

    machine, comparisons = describe_machine(flags), []
    with tempfile.TemporaryDirectory(prefix="kvcal-bench-") as folder:
        bench = Bench(flags, Path(folder))
        for name in flags.names or NAMES:
            comparisons.append(run(name, bench))
            machine["load at the end"] = f"{os.getloadavg()[0]:.1f}"
            page.write(flags.output, machine, comparisons)
    print(f"\n{flags.output / 'bench.json'}, {flags.output / 'index.html'}")


if __name__ == "__main__":
    main()
