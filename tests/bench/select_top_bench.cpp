// SPDX-License-Identifier: Apache-2.0
// Choosing what stays, of one layer: 3 KV heads x 4096 tokens. A sweep of 40 variants over 30
// layers does it 1200 times a prompt.
#include <ATen/ATen.h>
#include <benchmark/benchmark.h>

#include "kvcal/compress/keep_set.hpp"
#include "support/random_layer.hpp"

namespace kvcal {
namespace {

constexpr int64_t kKvHeads = 3, kTokens = 4096;

at::Tensor make_scores() {
  std::mt19937 random(14);
  return test::normal(random, {kKvHeads, kTokens});
}

void top(benchmark::State& state) {
  const auto scores = make_scores();
  const auto kept = at::full({kKvHeads}, state.range(0), at::kLong);
  for (auto _ : state) benchmark::DoNotOptimize(select_top(scores, kept));
}

/// The same count for all heads, ties in any order: less than select_top promises.
void top_topk(benchmark::State& state) {
  const auto scores = make_scores();
  for (auto _ : state) {
    const auto best = std::get<1>(at::topk(scores, state.range(0), 1, true, /*sorted=*/false));
    benchmark::DoNotOptimize(std::get<0>(at::sort(best, 1)));
  }
}

#define KVCAL_TIME(function)          \
  BENCHMARK(function)                 \
      ->UseRealTime()                 \
      ->Unit(benchmark::kMicrosecond) \
      ->ArgName("kept")               \
      ->Arg(123)                      \
      ->Arg(2048)
KVCAL_TIME(top);
KVCAL_TIME(top_topk);

}  // namespace
}  // namespace kvcal
