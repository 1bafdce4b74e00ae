// SPDX-License-Identifier: Apache-2.0
// What attention statistics add to a prefill: the column sums of one chunk (512 new tokens, 4096
// seen) beside the flash attention that the chunk needs anyhow.
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

void column_sums(benchmark::State& state) {
  const auto queries = numbers(state, kHeads, kNew), keys = numbers(state, kKvHeads, kSeen);
  auto sums = at::zeros({kHeads, kSeen});
  for (auto _ : state) add_column_sums(queries, keys, kScale, sums);
}

/// Without the causal triangle of the chunk itself: 6 % more work.
void flash_attention(benchmark::State& state) {
  const auto queries = numbers(state, kHeads, kNew).unflatten(0, {kKvHeads, kHeads / kKvHeads});
  const auto entries =
      numbers(state, kKvHeads, kSeen)
          .unsqueeze(1)
          .expand({-1, kHeads / kKvHeads, -1, -1});  // [kv_heads, group, seen, head_dim]
  for (auto _ : state) {
    benchmark::DoNotOptimize(at::_scaled_dot_product_flash_attention_for_cpu(
        queries, entries, entries, 0.0, /*is_causal=*/false, {}, kScale));
  }
}

#define KVCAL_TIME(function) \
  BENCHMARK(function)->UseRealTime()->Unit(benchmark::kMillisecond)->ArgName("bf16")->Arg(0)->Arg(1)
KVCAL_TIME(column_sums);
KVCAL_TIME(flash_attention);

}  // namespace
}  // namespace kvcal
