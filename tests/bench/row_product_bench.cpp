// SPDX-License-Identifier: Apache-2.0
// Linear layers of a decode step against at::linear: a projection of SmolLM2 (576 -> 1536) and its
// output over the vocabulary (576 -> 49152). at::linear may give a row other bits in a batch.
#include <ATen/ATen.h>
#include <benchmark/benchmark.h>

#include "kvcal/compress/kernels.hpp"
#include "support/random_layer.hpp"

namespace kvcal {
namespace {

constexpr int64_t kWidth = 576;

struct Operands {
  at::Tensor x;       // [rows, kWidth]
  at::Tensor weight;  // [outputs, kWidth]

  explicit Operands(const benchmark::State& state) {
    std::mt19937 random(12);
    const auto dtype = state.range(2) == 0 ? at::kFloat : at::kBFloat16;
    x = test::normal(random, {state.range(0), kWidth}).to(dtype);
    weight = test::normal(random, {state.range(1), kWidth}).to(dtype);
  }
};

void count_weight_bytes(benchmark::State& state, const Operands& operands) {
  state.SetBytesProcessed(state.iterations() * static_cast<int64_t>(operands.weight.nbytes()));
}

void rows(benchmark::State& state) {
  const Operands operands(state);
  for (auto _ : state) benchmark::DoNotOptimize(row_product(operands.x, operands.weight));
  count_weight_bytes(state, operands);
}

void rows_linear(benchmark::State& state) {
  const Operands operands(state);
  for (auto _ : state) benchmark::DoNotOptimize(at::linear(operands.x, operands.weight));
  count_weight_bytes(state, operands);
}

void add_shapes(benchmark::internal::Benchmark* shapes) {
  shapes->UseRealTime()->Unit(benchmark::kMicrosecond);
  shapes->ArgNames({"rows", "outputs", "bf16"});
  shapes->ArgsProduct({{1, 8, 40}, {1536, 49152}, {0, 1}});
}
BENCHMARK(rows)->Apply(add_shapes);
BENCHMARK(rows_linear)->Apply(add_shapes);

}  // namespace
}  // namespace kvcal
