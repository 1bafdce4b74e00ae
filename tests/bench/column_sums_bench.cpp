// SPDX-License-Identifier: Apache-2.0
// What attention statistics add to a prefill: the column sums, or maxima, of one chunk. What the
// chunk needs anyhow is in causal_attention_bench.
#include <ATen/ATen.h>
#include <benchmark/benchmark.h>

#include "bench/chunk.hpp"
#include "kvcal/compress/kernels.hpp"

namespace kvcal {
namespace {

using namespace bench;

void column_sums(benchmark::State& state) {
  const auto queries = numbers(state, kHeads, kNew), keys = numbers(state, kKvHeads, kSeen);
  auto sums = at::zeros({kHeads, kSeen});
  for (auto _ : state) add_column_sums(queries, keys, kScale, sums);
}

void column_maxima_of_chunk(benchmark::State& state) {
  const auto queries = numbers(state, kHeads, kNew), keys = numbers(state, kKvHeads, kSeen);
  const auto weights = at::ones({kNew});
  for (auto _ : state) benchmark::DoNotOptimize(column_maxima(queries, keys, kScale, weights));
}

KVCAL_TIME(column_sums);
KVCAL_TIME(column_maxima_of_chunk);

}  // namespace
}  // namespace kvcal
