# SPDX-License-Identifier: Apache-2.0
"""Start-up: a command from nothing to the logits of one word, files in the page cache.

`kv-inspect logits` loads tokenizer and model and runs one token; the peer, transformers in a Python
of its own, does the same. Held against half a second.
"""

import sys

import peers
from harness import at_most, finish, share, times_faster

LIMIT_S = 0.5
PEER = """
import sys, torch, transformers
ids = transformers.AutoTokenizer.from_pretrained(sys.argv[1])("Hello", return_tensors="pt").input_ids
model = transformers.AutoModelForCausalLM.from_pretrained(sys.argv[1], dtype=torch.bfloat16)
with torch.inference_mode():
    model(ids).logits
"""


def rows(bench):
    peers.need("transformers")
    logits = bench.folder / "logits.h5"
    start_ours = lambda: bench.run("kv-inspect", "logits", bench.model, "--output", logits, "--force",
                                   stdin="Hello").seconds
    start_peer = lambda: finish([sys.executable, "-c", PEER, str(bench.model)]).seconds
    start_ours()
    results = bench.in_turns({"kvcal": start_ours, "transformers": start_peer})
    yield share("start to first logits", "s", results["kvcal"], "limit",
                [LIMIT_S] * bench.repeats, at_most(1))
    yield times_faster("start to first logits", "s", results["kvcal"], "transformers",
                       results["transformers"])
