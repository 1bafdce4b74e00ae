// SPDX-License-Identifier: Apache-2.0
// Attention of one prefill chunk (512 new tokens, 4096 seen, 9 query and 3 KV heads) beside
// LibTorch's flash attention of the same rows.
#include <ATen/ATen.h>
#include <benchmark/benchmark.h>

#include "kvcal/compress/kernels.hpp"
#include "support/random_layer.hpp"

namespace kvcal {
namespace {

constexpr int64_t kHeads = 9, kKvHeads = 3, kHeadDim = 64, kNew = 512, kSeen = 4096;
constexpr double kScale = 0.125;  // 1 / sqrt(kHeadDim)

at::Tensor numbers(const benchmark::State& state, int64_t heads, int64_t tokens) {
  std::mt19937 random(13);
  const auto dtype = state.range(0) == 0 ? at::kFloat : at::kBFloat16;
  return test::normal(random, {heads, tokens, kHeadDim}).to(dtype);
}

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

#define KVCAL_TIME(function) \
  BENCHMARK(function)->UseRealTime()->Unit(benchmark::kMillisecond)->ArgName("bf16")->Arg(0)->Arg(1)
KVCAL_TIME(causal);
KVCAL_TIME(flash);

}  // namespace
}  // namespace kvcal
