// SPDX-License-Identifier: Apache-2.0
// Whole steps of SmolLM2-135M-Instruct: a prefill, and decode steps of one sequence and of all
// variants of a sweep. What a sweep costs, bar compression, is made of these.
#include <ATen/ATen.h>
#include <benchmark/benchmark.h>

#include <map>

#include "kvcal/compress/compactor.hpp"
#include "kvcal/profile/engine.hpp"
#include "support/paths.hpp"
#include "support/random_layer.hpp"

namespace kvcal {
namespace {

constexpr int64_t kRoom = 1;  // a step is undone before the next

/// The model in f32 (0) or bf16 (1), loaded once; null, and the benchmark skipped, without a model.
const Model* find_model(benchmark::State& state, int64_t is_bf16) {
  if (test::smollm2().empty()) {
    state.SkipWithError("SmolLM2 is not there: `./dev model` fetches it");
    return nullptr;
  }
  static std::map<int64_t, Model> loaded;
  if (!loaded.contains(is_bf16)) {
    const ModelOptions options{.dtype = is_bf16 == 0 ? "f32" : "bf16"};
    loaded.emplace(is_bf16, Model::load(test::smollm2(), options));
  }
  return &loaded.at(is_bf16);
}

std::vector<int64_t> make_ids(const Model& model, int64_t tokens) {
  std::vector<int64_t> ids;
  for (int64_t i = 0; i < tokens; ++i) ids.push_back((i * 7919) % model.config().vocab);
  return ids;
}

void prefill_tokens(benchmark::State& state) {
  const auto* model = find_model(state, state.range(1));
  if (model == nullptr) return;
  const auto ids = make_ids(*model, state.range(0));
  for (auto _ : state) benchmark::DoNotOptimize(prefill(*model, ids, Needs()));
  state.SetItemsProcessed(state.iterations() * state.range(0));
}

/// The prompt with a share of its entries, chosen anywhere.
CompactCache evicted(const Prefilled& prompt, double share, uint64_t seed) {
  const auto& cache = prompt.cache;
  const auto kept_tokens = static_cast<int64_t>(share * static_cast<double>(prompt.tokens()));
  const auto kept = at::full({cache.kv_heads()}, kept_tokens, at::TensorOptions(at::kLong));
  std::vector<CompactLayer> layers;
  for (int64_t layer = 0; layer < cache.layers(); ++layer) {
    std::mt19937 random(static_cast<unsigned>(seed * 1000 + static_cast<uint64_t>(layer)));
    const auto scores = test::normal(random, {cache.kv_heads(), prompt.tokens()});
    const auto keep = select_top(scores, kept);
    layers.push_back(refer(cache.tail_keys(layer), cache.tail_values(layer), keep));
  }
  return CompactCache(std::move(layers), prompt.tokens(), kRoom);
}

/// The full prompt for one sequence; for several, 3 to 50 % of it, as the variants of a sweep.
std::vector<CompactCache> make_caches(const Model& model, int64_t sequences, int64_t tokens) {
  const auto prompt = prefill(model, make_ids(model, tokens), Needs());
  if (sequences == 1) return {prompt.cache.sealed(kRoom)};
  const std::vector<double> shares{0.03, 0.06, 0.12, 0.25, 0.5};
  std::vector<CompactCache> caches;
  for (size_t i = 0; i < static_cast<size_t>(sequences); ++i) {
    caches.push_back(evicted(prompt, shares[i % shares.size()], i));
  }
  return caches;
}

void decode_step(benchmark::State& state) {
  const auto* model = find_model(state, state.range(1));
  if (model == nullptr) return;
  auto caches = make_caches(*model, state.range(0), state.range(2));
  std::vector<DecodeRow> rows;
  for (auto& cache : caches) rows.push_back({17, &cache});
  for (auto _ : state) {
    benchmark::DoNotOptimize(model->decode(rows));
    for (auto& cache : caches) cache.truncate_tail(0);
  }
  state.SetItemsProcessed(state.iterations() * state.range(0));
}

#define KVCAL_TIME(function) BENCHMARK(function)->UseRealTime()->Unit(benchmark::kMillisecond)
KVCAL_TIME(prefill_tokens)
    ->ArgNames({"tokens", "bf16"})
    ->ArgsProduct({{1024}, {0, 1}})
    ->Args({512, 1});
KVCAL_TIME(decode_step)
    ->ArgNames({"sequences", "bf16", "prompt"})
    ->ArgsProduct({{1, 20, 40}, {0, 1}, {2048}})
    ->ArgsProduct({{1, 20, 40}, {1}, {4096}});

}  // namespace
}  // namespace kvcal
