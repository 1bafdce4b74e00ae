// SPDX-License-Identifier: Apache-2.0
// What the machine gives, the limits that other numbers are held against: bytes a second read from
// memory, and LibTorch's own rate of bf16 matrix products. Not a measure of our code.
#include <ATen/ATen.h>
#include <ATen/Parallel.h>
#include <benchmark/benchmark.h>

#include <numeric>
#include <vector>

#include "support/random_layer.hpp"

namespace kvcal {
namespace {

constexpr int64_t kStreamBytes = int64_t{512} << 20;  // no cache holds it
constexpr int64_t kLanes = 64;                        // sums that do not wait for each other
constexpr int64_t kPrefetchBytes = 4096;              // as row_product: past the end of a page

/// XOR of all words: as little work as keeps the reads alive. Bytes far ahead are asked for, since
/// the hardware's own prefetch stops at every page.
uint64_t read_words(const uint64_t* words, int64_t begin, int64_t end) {
  uint64_t lanes[kLanes] = {};
  for (int64_t i = begin; i < end; i += kLanes) {
    for (int64_t line = 0; line < kLanes; line += 8)
      __builtin_prefetch(words + i + line + kPrefetchBytes / 8);
    for (int64_t lane = 0; lane < kLanes; ++lane) lanes[lane] ^= words[i + lane];
  }
  return std::accumulate(lanes, lanes + kLanes, uint64_t{0});
}

/// All threads, each its own part.
void read_memory(benchmark::State& state) {
  const std::vector<uint64_t> words(kStreamBytes / 8, 1);
  const int64_t blocks = kStreamBytes / 8 / kLanes;
  for (auto _ : state) {
    at::parallel_for(0, blocks, blocks / at::get_num_threads(), [&](int64_t begin, int64_t end) {
      benchmark::DoNotOptimize(read_words(words.data(), begin * kLanes, end * kLanes));
    });
  }
  state.SetBytesProcessed(state.iterations() * kStreamBytes);
}
BENCHMARK(read_memory)->UseRealTime()->Unit(benchmark::kMillisecond);

/// [4096, 576] x [576, 1536]: one projection of SmolLM2 over a prompt of 4k tokens.
void linear_bf16(benchmark::State& state) {
  constexpr int64_t kTokens = 4096, kInputs = 576, kOutputs = 1536;
  std::mt19937 random(14);
  const auto x = test::normal(random, {kTokens, kInputs}).to(at::kBFloat16);
  const auto weight = test::normal(random, {kOutputs, kInputs}).to(at::kBFloat16);
  for (auto _ : state) benchmark::DoNotOptimize(at::linear(x, weight));
  const auto flops = static_cast<double>(2 * kTokens * kInputs * kOutputs);
  state.counters["flops"] =
      benchmark::Counter(flops, benchmark::Counter::kIsIterationInvariantRate);
}
BENCHMARK(linear_bf16)->UseRealTime()->Unit(benchmark::kMillisecond);

}  // namespace
}  // namespace kvcal
