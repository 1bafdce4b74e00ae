# SPDX-License-Identifier: Apache-2.0
"""A sweep of 8 methods x 5 budgets and the full cache, against kvpress, one configuration at a time.

Ours are whole commands without fidelity; kvpress is projected from the full cache and 4 of the 40
configurations, its model already loaded. `./dev bench --sweep` tells more of it.
"""

from types import SimpleNamespace

import peers
import sweep
from harness import at_least, at_most, share, times_faster

CONFIGURATIONS = 1 + len(sweep.METHODS) * len(sweep.SHARES)


def rows(bench):
    peers.need("kvpress")
    flags = SimpleNamespace(kv_eval=bench.flags.build / "bin/kv-eval", model=bench.model,
                            threads=bench.threads)
    prompt, peer = bench.prompt(bench.tokens), sweep.Peer(flags, bench.tokenizer)
    ours = lambda methods: sweep.run_kv_eval(flags, prompt, methods, measures_fidelity=False)[0]
    results = bench.in_turns({
        "full": lambda: ours(["full"]),
        "sweep": lambda: ours(["full", *sweep.METHODS]),
        "kvpress": lambda: peer.time(prompt, sweep.FEW)[1],
    })
    yield share(f"sweep of {CONFIGURATIONS} configurations", "s", results["sweep"],
                "full cache alone", results["full"], at_most(1.5))
    each = lambda name: [seconds / CONFIGURATIONS for seconds in results[name]]
    yield times_faster("one configuration", "s", each("sweep"), "kvpress", each("kvpress"), at_least(40))
