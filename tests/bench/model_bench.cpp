// SPDX-License-Identifier: Apache-2.0
// Whole steps of SmolLM2-135M-Instruct: a prefill, and decode steps of one sequence and of all
// variants of a sweep. What a sweep costs, bar compression, is made of these.
#include <ATen/ATen.h>
#include <benchmark/benchmark.h>

#include <map>

#include "kvcal/profile/engine.hpp"
#include "support/paths.hpp"

namespace kvcal {
namespace {

constexpr int64_t kPromptTokens = 2048;  // under the decode steps
constexpr int64_t kRoom = 1;             // a step is undone before the next

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

/// The full prompt for one sequence; for several, 3 to 50 % of it, each in memory of its own.
std::vector<CompactCache> make_caches(const Model& model, int64_t sequences) {
  const auto prompt = prefill(model, make_ids(model, kPromptTokens), Needs());
  if (sequences == 1) return {prompt.cache.sealed(kRoom)};
  const std::vector<double> shares{0.03, 0.06, 0.12, 0.25, 0.5};
  std::vector<CompactCache> caches;
  for (size_t i = 0; i < static_cast<size_t>(sequences); ++i) {
    const double share = shares[i % shares.size()];
    caches.push_back(prompt.cache.sealed(kRoom, static_cast<int64_t>(share * kPromptTokens)));
  }
  return caches;
}

void decode_step(benchmark::State& state) {
  const auto* model = find_model(state, state.range(1));
  if (model == nullptr) return;
  auto caches = make_caches(*model, state.range(0));
  std::vector<DecodeRow> rows;
  for (auto& cache : caches) rows.push_back({17, &cache});
  for (auto _ : state) {
    benchmark::DoNotOptimize(model->decode(rows));
    for (auto& cache : caches) cache.truncate_tail(0);
  }
  state.SetItemsProcessed(state.iterations() * state.range(0));
}

#define KVCAL_TIME(function) BENCHMARK(function)->UseRealTime()->Unit(benchmark::kMillisecond)
KVCAL_TIME(prefill_tokens)->ArgNames({"tokens", "bf16"})->ArgsProduct({{1024}, {0, 1}});
KVCAL_TIME(decode_step)->ArgNames({"sequences", "bf16"})->ArgsProduct({{1, 40}, {0, 1}});

}  // namespace
}  // namespace kvcal
