// SPDX-License-Identifier: Apache-2.0
// Attention of one new token over a cache: alone against LibTorch's, and all variants of a sweep in
// one call. Shapes of SmolLM2: 9 query heads, 3 KV heads of 64.
#include <ATen/ATen.h>
#include <benchmark/benchmark.h>

#include "kvcal/compress/kernels.hpp"
#include "support/random_layer.hpp"

namespace kvcal {
namespace {

constexpr int64_t kHeads = 9, kKvHeads = 3, kHeadDim = 64;
constexpr double kScale = 0.125;  // 1 / sqrt(kHeadDim)
constexpr int64_t kVariants = 40;
constexpr int64_t kPromptTokens = 4096;

at::ScalarType dtype_of(int64_t argument) {
  return argument == 0 ? at::kFloat : at::kBFloat16;
}

std::mt19937 seeded() {
  return std::mt19937(11);
}

/// @param kept  entries of each KV head; the tail holds the new token alone
CacheLayer make_cache(std::mt19937& random, const std::vector<int64_t>& kept,
                      at::ScalarType dtype) {
  std::vector<int64_t> offsets{0};
  for (const int64_t count : kept) offsets.push_back(offsets.back() + count);
  const auto numbers = [&](at::IntArrayRef sizes) { return test::normal(random, sizes).to(dtype); };
  CacheLayer cache;
  cache.prefix = {numbers({offsets.back(), kHeadDim}), numbers({offsets.back(), kHeadDim}),
                  at::Tensor(), at::tensor(offsets, at::kLong)};
  cache.tail_keys = numbers({kKvHeads, 1, kHeadDim});
  cache.tail_values = numbers({kKvHeads, 1, kHeadDim});
  return cache;
}

/// Shares of a prompt from 3 to 50 %; inside a variant the KV heads share its budget unevenly.
std::vector<CacheLayer> make_variants(std::mt19937& random, at::ScalarType dtype) {
  const std::vector<double> shares{0.03, 0.06, 0.12, 0.25, 0.5};
  std::vector<CacheLayer> caches;
  for (int64_t i = 0; i < kVariants; ++i) {
    const auto budget = static_cast<int64_t>(shares[static_cast<size_t>(i) % shares.size()] *
                                             static_cast<double>(kPromptTokens));
    caches.push_back(make_cache(random, {budget / 2, budget, 2 * budget - budget / 2}, dtype));
  }
  return caches;
}

void one_token(benchmark::State& state) {
  auto random = seeded();
  const auto dtype = dtype_of(state.range(1));
  const auto cache = make_cache(random, std::vector(kKvHeads, state.range(0)), dtype);
  const auto queries = test::normal(random, {kHeads, 1, kHeadDim}).to(dtype);
  for (auto _ : state) benchmark::DoNotOptimize(ragged_attention(queries, cache, kScale));
}

void one_token_sdpa(benchmark::State& state) {
  auto random = seeded();
  const auto numbers = [&](int64_t heads, int64_t tokens) {
    return test::normal(random, {1, heads, tokens, kHeadDim}).to(dtype_of(state.range(1)));
  };
  const int64_t tokens = state.range(0) + 1;
  const auto queries = numbers(kHeads, 1);
  const auto keys = numbers(kKvHeads, tokens), values = numbers(kKvHeads, tokens);
  for (auto _ : state) {
    benchmark::DoNotOptimize(at::scaled_dot_product_attention(
        queries, keys, values, {}, 0.0, /*is_causal=*/false, kScale, /*enable_gqa=*/true));
  }
}

void variants_together(benchmark::State& state) {
  auto random = seeded();
  const auto dtype = dtype_of(state.range(0));
  const auto caches = make_variants(random, dtype);
  const auto queries = test::normal(random, {kVariants, kHeads, 1, kHeadDim}).to(dtype).unbind();
  for (auto _ : state) benchmark::DoNotOptimize(ragged_attention_batch(queries, caches, kScale));
}

void variants_one_by_one(benchmark::State& state) {
  auto random = seeded();
  const auto dtype = dtype_of(state.range(0));
  const auto caches = make_variants(random, dtype);
  const auto queries = test::normal(random, {kVariants, kHeads, 1, kHeadDim}).to(dtype);
  for (auto _ : state) {
    for (int64_t i = 0; i < kVariants; ++i) {
      benchmark::DoNotOptimize(
          ragged_attention(queries[i], caches[static_cast<size_t>(i)], kScale));
    }
  }
}

#define KVCAL_TIME(function) BENCHMARK(function)->UseRealTime()->Unit(benchmark::kMicrosecond)
KVCAL_TIME(one_token)->ArgNames({"entries", "bf16"})->ArgsProduct({{512, 4096}, {0, 1}});
KVCAL_TIME(one_token_sdpa)->ArgNames({"entries", "bf16"})->ArgsProduct({{512, 4096}, {0, 1}});
KVCAL_TIME(variants_together)->ArgName("bf16")->Arg(0)->Arg(1);
KVCAL_TIME(variants_one_by_one)->ArgName("bf16")->Arg(0)->Arg(1);

}  // namespace
}  // namespace kvcal
