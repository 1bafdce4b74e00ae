// SPDX-License-Identifier: Apache-2.0
// Attention of one prefill chunk (512 new tokens, 4096 seen, 9 query and 3 KV heads) beside
// LibTorch's flash attention of the same rows.
#include <ATen/ATen.h>
#include <benchmark/benchmark.h>

#include "bench/chunk.hpp"
#include "kvcal/compress/kernels.hpp"

namespace kvcal {
namespace {

using namespace bench;

void count_operations(benchmark::State& state) {
  state.counters["GFLOP/s"] =
      benchmark::Counter(4e-9 * kHeads * kNew * (kSeen - kNew / 2) * kHeadDim,
                         benchmark::Counter::kIsIterationInvariantRate);
}

void causal(benchmark::State& state) {
  const auto queries = numbers(state, kHeads, kNew), entries = numbers(state, kKvHeads, kSeen);
  for (auto _ : state) {
    benchmark::DoNotOptimize(causal_attention(queries, entries, entries, kScale));
  }
  count_operations(state);
}

/// The chunk itself under a causal mask, and all before it; without merging the two.
void flash(benchmark::State& state) {
  const auto queries = numbers(state, kHeads, kNew).unflatten(0, {kKvHeads, kHeads / kKvHeads});
  const auto entries = numbers(state, kKvHeads, kSeen)
                           .unsqueeze(1)
                           .expand({-1, kHeads / kKvHeads, -1, -1});  // [kv_heads, group, seen, ..]
  const auto part = [&](int64_t first, int64_t count, bool is_causal) {
    const auto some = entries.narrow(2, first, count);
    benchmark::DoNotOptimize(at::_scaled_dot_product_flash_attention_for_cpu(
        queries, some, some, 0.0, is_causal, {}, kScale));
  };
  for (auto _ : state) {
    part(0, kSeen - kNew, false);
    part(kSeen - kNew, kNew, true);
  }
  count_operations(state);
}

KVCAL_TIME(causal);
KVCAL_TIME(flash);

}  // namespace
}  // namespace kvcal
