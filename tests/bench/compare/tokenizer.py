# SPDX-License-Identifier: Apache-2.0
"""Tokenizer: the Rust `tokenizers` on one thread, over all haystacks, each text at once.

Ours is tokenizer_bench; the peer is spared its offsets; both keep their caches of words from one pass
to the next.
"""

import time

import peers
from harness import at_least, share
from prompts import ROOT

PASSES = 16


def measure_peer(tokenizer, texts):
    start = time.monotonic()
    for _ in range(PASSES):
        for text in texts:
            tokenizer.encode_batch_fast([text])
    size = PASSES * sum(len(text.encode()) for text in texts)
    return size / (time.monotonic() - start) / 1e6


def rows(bench):
    peers.need("tokenizers")
    import tokenizers

    texts = [path.read_text() for path in sorted((ROOT / "data/haystacks").rglob("*.txt"))]
    theirs = tokenizers.Tokenizer.from_file(str(bench.model / "tokenizer.json"))
    results = bench.in_turns({
        "kvcal": lambda: bench.kernels("tokenizer_bench", ".")["encode/real_time"]["bytes_per_second"] / 1e6,
        "tokenizers": lambda: measure_peer(theirs, texts),
    })
    yield share("encoding English text", "MB/s", results["kvcal"], "tokenizers",
                results["tokenizers"], at_least(1))
