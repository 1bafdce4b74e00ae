// SPDX-License-Identifier: Apache-2.0
// One prefill chunk of SmolLM2's shape: 512 new tokens, 4096 seen.
#pragma once

#include <ATen/core/Tensor.h>
#include <benchmark/benchmark.h>

#include <random>

#include "support/random_layer.hpp"

namespace kvcal::bench {

constexpr int64_t kHeads = 9, kKvHeads = 3, kHeadDim = 64, kNew = 512, kSeen = 4096;
constexpr double kScale = 0.125;  // 1 / sqrt(kHeadDim)

/// [heads, tokens, head_dim]; bf16 where the benchmark's argument is 1, else f32.
inline at::Tensor numbers(const benchmark::State& state, int64_t heads, int64_t tokens) {
  std::mt19937 random(13);
  const auto dtype = state.range(0) == 0 ? at::kFloat : at::kBFloat16;
  return test::normal(random, {heads, tokens, kHeadDim}).to(dtype);
}

}  // namespace kvcal::bench

#define KVCAL_TIME(function) \
  BENCHMARK(function)->UseRealTime()->Unit(benchmark::kMillisecond)->ArgName("bf16")->Arg(0)->Arg(1)
