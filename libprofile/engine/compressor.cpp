// SPDX-License-Identifier: Apache-2.0
#include <ATen/ATen.h>

#include <map>

#include "kvcal/compress/compactor.hpp"
#include "kvcal/compress/error.hpp"
#include "kvcal/profile/engine.hpp"

namespace kvcal {

namespace {

using PerLayer = std::vector<at::Tensor>;         // [layers]
using PartMap = std::map<std::string, PerLayer>;  // by a key of Method

template <class Part>
PerLayer measures_of(const Part& part, const std::vector<LayerView>& layers) {
  PerLayer measures;
  for (const auto& layer : layers) measures.push_back(part.measure(layer));
  return measures;
}

KeepSet keep_all(int64_t kv_heads, int64_t tokens) {
  const auto rows = at::arange(tokens, at::kLong).expand({kv_heads, tokens});
  return {rows.flatten(), at::arange(kv_heads + 1, at::kLong) * tokens};
}

}  // namespace

struct Compressor::Impl {
  const Model& model;
  const Prefilled& prompt;
  const ProfileFacts& facts;
  uint64_t seed;
  PartMap scores = {};    ///< each [kv_heads, tokens] f32
  PartMap measures = {};  ///< of allocators and selectors

  LayerView view(int64_t layer, int64_t window_tokens) const {
    LayerView view;
    view.layer = layer;
    if (window_tokens > 0) {
      const auto& gathered = prompt.window_queries.at(static_cast<size_t>(layer));
      view.queries = gathered.narrow(1, gathered.size(1) - window_tokens, window_tokens);
    } else {
      view.queries =
          at::empty({model.config().heads, 0, model.config().head_dim}, model.cache_options());
    }
    view.keys = prompt.cache.tail_keys(layer);
    view.values = prompt.cache.tail_values(layer);
    view.output_weight = model.output_weight(layer);
    view.rope_frequencies = model.rope_frequencies();
    view.sentences = prompt.sentences;
    view.statistics = prompt.statistics.at(static_cast<size_t>(layer));
    view.profile = &facts;
    view.seed = seed;
    return view;
  }

  std::vector<LayerView> views(int64_t window_tokens) const {
    std::vector<LayerView> views;
    for (int64_t layer = 0; layer < model.config().layers; ++layer) {
      views.push_back(view(layer, window_tokens));
    }
    return views;
  }

  /// What a part finds out of the layers, found once.
  /// @param look  all layers' views -> PerLayer
  template <class Look>
  const PerLayer& once(PartMap& found, const std::string& key, const Needs& needs, Look&& look) {
    auto [entry, is_new] = found.try_emplace(key);
    if (is_new) entry->second = look(views(needs.window_tokens));
    return entry->second;
  }

  const PerLayer& scores_of(const Method& method) {
    return once(scores, method.scorer_key, method.scorer->needs(),
                [&](const auto& layers) { return method.scorer->score_all(layers); });
  }
  const PerLayer& allocator_measures(const Method& method) {
    return once(measures, "allocator " + method.allocator_key, method.allocator->needs(),
                [&](const auto& layers) { return measures_of(*method.allocator, layers); });
  }
  const PerLayer& selector_measures(const Method& method) {
    return once(measures, "selector " + method.selector_key, method.selector->needs(),
                [&](const auto& layers) { return measures_of(*method.selector, layers); });
  }

  at::Tensor allocate(const Method& method, int64_t budget_tokens) {
    AllocationRequest request;
    request.layers = model.config().layers;
    request.kv_heads = model.config().kv_heads;
    request.tokens = prompt.tokens();
    request.budget_tokens = budget_tokens;
    request.scores = scores_of(method);
    request.measures = allocator_measures(method);
    request.profile = &facts;
    const auto kept = method.allocator->allocate(request);  // [layers, kv_heads] i64
    const int64_t sum = kept.sum().item<int64_t>();
    require(sum == request.total() || !method.allocator->is_exact(), Kind::internal,
            "method {}: allocator {} gave {} entries in all, the budget is {}", method.name,
            method.allocator_name, sum, request.total());
    return kept;
  }
};

Compressor::Compressor(const Model& model, const Prefilled& prompt, const ProfileFacts& facts,
                       uint64_t seed)
    : impl_(new Impl{model, prompt, facts, seed}) {}

Compressor::~Compressor() = default;

Compression Compressor::compress(const Method& method, int64_t budget_tokens,
                                 int64_t tail_capacity) {
  const auto& prompt = impl_->prompt;
  if (method.is_full() || budget_tokens >= prompt.tokens()) {
    return {{}, prompt.cache.sealed(tail_capacity), !method.is_full()};
  }
  const int64_t least = method.needs().min_budget_tokens;
  require(budget_tokens >= least, Kind::config,
          "method {}: a budget of {} tokens is below the {} it needs (of a prompt of {})",
          method.name, budget_tokens, least, prompt.tokens());

  return compress_to(method, impl_->allocate(method, budget_tokens), tail_capacity);
}

Compression Compressor::compress_to(const Method& method, const at::Tensor& counts,
                                    int64_t tail_capacity) {
  const auto& prompt = impl_->prompt;
  const auto& scores = impl_->scores_of(method);
  const auto& measures = impl_->selector_measures(method);
  std::vector<KeepSet> kept;
  std::vector<CompactLayer> layers;
  const auto whole = prompt.cache.sealed(/*tail_capacity=*/0);
  for (int64_t layer = 0; layer < impl_->model.config().layers; ++layer) {
    const auto index = static_cast<size_t>(layer);
    const auto count = counts[layer];                      // [kv_heads]
    if (count.min().item<int64_t>() == prompt.tokens()) {  // nothing to cut: share the entries
      kept.push_back(keep_all(impl_->model.config().kv_heads, prompt.tokens()));
      layers.push_back(whole.layer(layer).prefix);
      continue;
    }
    kept.push_back(method.selector->select({scores[index], measures[index], count}));
    require(!method.selector->is_exact() || at::equal(kept.back().offsets.diff(), count),
            Kind::internal, "method {}: layer {} did not keep what was allocated", method.name,
            layer);
    layers.push_back(
        gather(prompt.cache.tail_keys(layer), prompt.cache.tail_values(layer), kept.back()));
  }
  return {std::move(kept), CompactCache(std::move(layers), prompt.tokens(), tail_capacity), false};
}

}  // namespace kvcal
