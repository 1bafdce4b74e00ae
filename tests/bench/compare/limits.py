# SPDX-License-Identifier: Apache-2.0
"""The machine's limits: memory read and LibTorch's own bf16 matrix products, in the same run.

A decode step of one sequence reads all weights and all entries once; how long that takes at the
speed of a plain read of 512 MiB is its limit. The linear layers of a prefill are held against
at::linear, [4096, 576] x [576, 1536]: what grows with the tokens of a prompt of 512, norms and
rotation among it. What grows with their square, attention, is taken out by a prompt twice as long.
"""

from harness import at_least, at_most, share

SHORT, DOUBLE, LONG, MANY = 512, 1024, 4096, 40
BF16_BYTES = 2


def linear_weights(config):
    """Numbers in the linear layers of all layers, the output over the vocabulary left out."""
    width, inner = config["hidden_size"], config["intermediate_size"]
    kv_width = kv_heads_width(config)
    return config["num_hidden_layers"] * (2 * width * width + 2 * width * kv_width + 3 * width * inner)


def kv_heads_width(config):
    head_dim = config["hidden_size"] // config["num_attention_heads"]
    return config["num_key_value_heads"] * head_dim


def step_bytes(config):
    """What a decode step behind LONG tokens has to read: weights, output matrix, keys and values."""
    weights = linear_weights(config) + config["vocab_size"] * config["hidden_size"]
    entries = config["num_hidden_layers"] * 2 * kv_heads_width(config) * LONG
    return BF16_BYTES * (weights + entries)


def measure(bench):
    machine = bench.kernels("machine_bench", ".")
    model = bench.kernels("model_bench", f"prefill_tokens/tokens:({SHORT}|{DOUBLE})/bf16:1|"
                          f"decode_step/sequences:(1|{MANY})/bf16:1/prompt:{LONG}")
    seconds = lambda name: model[f"{name}/real_time"]["real_time"] / 1000
    prefill = lambda tokens: seconds(f"prefill_tokens/tokens:{tokens}/bf16:1")
    return {
        "read": machine["read_memory/real_time"]["bytes_per_second"],
        "linear": machine["linear_bf16/real_time"]["flops"],
        # a n + b n^2 at n and 2 n, solved for a n
        "prefill": 2 * prefill(SHORT) - prefill(DOUBLE) / 2,
        "one": seconds(f"decode_step/sequences:1/bf16:1/prompt:{LONG}"),
        "many": seconds(f"decode_step/sequences:{MANY}/bf16:1/prompt:{LONG}"),
    }


def rows(bench):
    turns = bench.in_turns({"all": lambda: measure(bench)})["all"]
    of = lambda name: [turn[name] for turn in turns]
    read, flops = step_bytes(bench.config), 2 * linear_weights(bench.config) * SHORT
    yield share("bytes a decode step reads", "GB/s", [read / one / 1e9 for one in of("one")],
                "plain read", [rate / 1e9 for rate in of("read")], at_least(0.7))
    yield share("linear layers of a prefill", "GFLOP/s", [flops / time / 1e9 for time in of("prefill")],
                "at::linear", [rate / 1e9 for rate in of("linear")], at_least(0.6))
    yield share(f"decode step of {MANY} variants", "ms", [1000 * many for many in of("many")],
                "one sequence", [1000 * one for one in of("one")], at_most(4))
