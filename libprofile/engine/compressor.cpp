// SPDX-License-Identifier: Apache-2.0
#include <ATen/ATen.h>

#include <algorithm>
#include <map>
#include <optional>

#include "kvcal/compress/chunks.hpp"
#include "kvcal/compress/compactor.hpp"
#include "kvcal/compress/error.hpp"
#include "kvcal/compress/parallel.hpp"
#include "kvcal/profile/engine.hpp"

namespace kvcal {

namespace {

using PerLayer = std::vector<at::Tensor>;         // [layers]
using PartMap = std::map<std::string, PerLayer>;  // by a key of Method

template <class Part>
PerLayer measures_of(const Part& part, const std::vector<LayerView>& layers) {
  return of_each_layer(layers, [&](const LayerView& layer) { return part.measure(layer); });
}

}  // namespace

struct Compressor::Impl {
  const Model& model;
  const Prefilled& prompt;
  const ProfileFacts& facts;
  uint64_t seed;
  int64_t lead_tokens;                             ///< first ones, that are left out
  PartMap scores = {};                             ///< each [kv_heads, tokens] f32
  PartMap measures = {};                           ///< of allocators and selectors
  std::map<std::string, Compression> costly = {};  ///< by method and budget

  int64_t tokens() const { return prompt.tokens() - lead_tokens; }

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
    return lead_tokens > 0 ? without_first(view, lead_tokens) : view;
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
    auto entry = found.find(key);
    // Kept only when it is whole: a part that fails is asked again.
    if (entry == found.end()) {
      entry = found.emplace(key, look(views(needs.window_tokens))).first;
    }
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

  /// [layers, kv_heads] i64
  at::Tensor allocate(const Method& method, int64_t tokens, int64_t budget_tokens,
                      const PerLayer& layer_scores, const PerLayer& layer_measures) const {
    AllocationRequest request;
    request.layers = model.config().layers;
    request.kv_heads = model.config().kv_heads;
    request.tokens = tokens;
    request.budget_tokens = budget_tokens;
    request.scores = layer_scores;
    request.measures = layer_measures;
    request.profile = &facts;
    const auto kept = method.allocator->allocate(request);
    const int64_t sum = kept.sum().item<int64_t>();
    require(sum == request.total() || !method.allocator->is_exact(), Kind::internal,
            "method {}: allocator {} gave {} entries in all, the budget is {}", method.name,
            method.allocator_name, sum, request.total());
    return kept;
  }

  /// What stays of one layer, or of a chunk of it, and how.
  CompactLayer cut_layer(const Method& method, const LayerView& view,
                         const at::Tensor& layer_scores, const at::Tensor& measure,
                         const at::Tensor& count, KeepSet& keep) const {
    keep = method.selector->select({layer_scores, measure, count, &view});
    require(!method.selector->is_exact() || at::equal(keep.offsets.diff(), count), Kind::internal,
            "method {}: layer {} did not keep what was allocated", method.name, view.layer);
    return method.compactor->compact({view, layer_scores, keep});
  }

  /// Prefix shorter than the prompt, empty tail.
  Compression cut(const Method& method, int64_t budget_tokens, int64_t tail_capacity) {
    std::vector<KeepSet> kept;
    std::vector<CompactLayer> layers;
    if (method.chunk_tokens == 0) {
      const auto counts = allocate(method, tokens(), budget_tokens, scores_of(method),
                                   allocator_measures(method));  // [layers, kv_heads]
      const auto how = method.is_on_policy ? &Impl::cut_on_policy : &Impl::cut_whole;
      (this->*how)(method, counts, kept, layers);
    } else {
      cut_chunks(method, budget_tokens, kept, layers);
    }
    return {std::move(kept), CompactCache(std::move(layers), prompt.tokens(), tail_capacity),
            false};
  }

  /// Nothing is cut but the lead.
  CompactCache whole(int64_t tail_capacity) const {
    if (lead_tokens == 0) return prompt.cache.sealed(tail_capacity);
    std::vector<CompactLayer> layers;
    for (int64_t layer = 0; layer < model.config().layers; ++layer) {
      const auto all = view(layer, 0);
      layers.push_back(gather(all.keys, all.values, keep_all(all.kv_heads(), all.tokens())));
    }
    return CompactCache(std::move(layers), prompt.tokens(), tail_capacity);
  }

  void cut_whole(const Method& method, const at::Tensor& counts, std::vector<KeepSet>& kept,
                 std::vector<CompactLayer>& layers) {
    const auto& layer_scores = scores_of(method);
    const auto& layer_measures = selector_measures(method);
    const auto is_uncut = counts.amin(1) == tokens();  // [layers]
    // Asked for by unit costs alone: all but one unit stay. Those layers are shared.
    std::optional<CompactCache> uncut;
    if (is_uncut.any().item<bool>()) uncut = whole(/*tail_capacity=*/0);
    kept.resize(layer_scores.size());
    layers.resize(layer_scores.size());
    const auto cut_one = [&](int64_t layer) {
      const auto l = static_cast<size_t>(layer);
      if (is_uncut[layer].item<bool>()) {
        kept[l] = keep_all(model.config().kv_heads, tokens());
        layers[l] = uncut->layer(layer).prefix;
        return;
      }
      layers[l] = cut_layer(method, view(layer, method.needs().window_tokens), layer_scores[l],
                            layer_measures[l], counts[layer], kept[l]);
    };
    if (!method.compactor->is_costly()) {
      share_out(prompt.cache.tail_keys(0), model.config().layers, cut_one);
      return;
    }
    // What they solve is large: a layer at a time, by all threads.
    for (int64_t layer = 0; layer < model.config().layers; ++layer) cut_one(layer);
  }

  Compression cut_to(const Method& method, const at::Tensor& counts, int64_t tail_capacity) {
    std::vector<KeepSet> kept;
    std::vector<CompactLayer> layers;
    cut_whole(method, counts, kept, layers);
    return {std::move(kept), CompactCache(std::move(layers), prompt.tokens(), tail_capacity),
            false};
  }

  void cut_on_policy(const Method& method, const at::Tensor& counts, std::vector<KeepSet>& kept,
                     std::vector<CompactLayer>& layers);
  void cut_chunks(const Method& method, int64_t budget_tokens, std::vector<KeepSet>& kept,
                  std::vector<CompactLayer>& layers);
};

namespace {

/// The texts of a prompt whose queries a method matches with, fed behind it all at once.
class ReferencePass {
 public:
  ReferencePass(const Prefilled& prompt, const Needs& needs) {
    caches_.reserve(prompt.reference_texts.size());  // feeds point into it
    int64_t repeated = 0, studied = 0;
    for (const auto& text : prompt.reference_texts) {
      const bool is_repeat = text.source == &LayerStatistics::repeat_queries;
      const int64_t count = is_repeat ? needs.repeat_queries : needs.study_queries;
      if (count == 0) continue;
      int64_t& first = is_repeat ? repeated : studied;
      const auto size = static_cast<int64_t>(text.ids.size());
      caches_.push_back(prompt.cache.sealed(size));
      feeds_.push_back({text.ids, &caches_.back()});
      samples_.push_back({text.source, first, count});
      first += size;
    }
  }

  bool is_empty() const { return feeds_.empty(); }

  /// @param replace  (layer, statistics with the queries of this pass) -> CompactLayer
  template <class Replace>
  void run(const Model& model, const Replace& replace) {
    model.forward_together(feeds_, [&](int64_t layer, std::span<const at::Tensor> queries) {
      LayerStatistics statistics;
      for (size_t i = 0; i < samples_.size(); ++i) {
        const auto& [source, first, count] = samples_[i];
        (statistics.*source).add(queries[i], first, count);
      }
      const CompactLayer matched = replace(layer, statistics);
      for (auto& cache : caches_) cache.replace_prefix(layer, matched);
    });
  }

 private:
  struct Sample {
    ReferenceQueries LayerStatistics::*source;
    int64_t first;  ///< position in the stream of its source
    int64_t count;  ///< drawn at most
  };
  std::vector<CompactCache> caches_;
  std::vector<Feed> feeds_;
  std::vector<Sample> samples_;
};

}  // namespace

/// The reference texts are fed once more: at each layer their queries, which saw what was made of
/// the layers before, are what it is matched with, and they attend to what is made of it. Context
/// queries and the split of the budget stay those of the full cache.
void Compressor::Impl::cut_on_policy(const Method& method, const at::Tensor& counts,
                                     std::vector<KeepSet>& kept,
                                     std::vector<CompactLayer>& layers) {
  ReferencePass pass(prompt, method.needs());
  if (pass.is_empty()) return cut_whole(method, counts, kept, layers);
  const auto& layer_measures = selector_measures(method);
  pass.run(model, [&](int64_t layer, const LayerStatistics& seen) {
    LayerView own = view(layer, method.needs().window_tokens);
    own.statistics.repeat_queries = seen.repeat_queries;
    own.statistics.study_queries = seen.study_queries;
    kept.emplace_back();
    layers.push_back(cut_layer(method, own, method.scorer->score(own),
                               layer_measures[static_cast<size_t>(layer)], counts[layer],
                               kept.back()));
    return layers.back();
  });
}

/// Each chunk is scored, allocated, selected and compacted as a prompt of its own, then all are put
/// together: only one chunk's work is held at a time. A chunk's budget is its share of the tokens.
void Compressor::Impl::cut_chunks(const Method& method, int64_t budget_tokens,
                                  std::vector<KeepSet>& kept, std::vector<CompactLayer>& layers) {
  const auto all_layers = static_cast<size_t>(model.config().layers);
  std::vector<std::vector<KeepSet>> kept_parts(all_layers);
  std::vector<std::vector<CompactLayer>> layer_parts(all_layers);
  std::vector<int64_t> starts;
  int64_t given = 0;
  for (int64_t first = 0; first < tokens(); first += method.chunk_tokens) {
    const int64_t count = std::min(method.chunk_tokens, tokens() - first);
    // So that the parts add up to the budget, whatever the rounding.
    const int64_t budget = budget_tokens * (first + count) / tokens() - given;
    given += budget;
    const int64_t least = method.needs().min_budget_tokens;
    require(budget >= least, Kind::config,
            "method {}: a budget of {} tokens gives a chunk of {} tokens {}, below the {} it needs",
            method.name, budget_tokens, count, budget, least);
    starts.push_back(first);
    std::vector<LayerView> views;
    PerLayer chunk_scores, to_allocate, to_select;
    for (size_t l = 0; l < all_layers; ++l) {
      views.push_back(slice(view(static_cast<int64_t>(l), 0), first, count));
      to_allocate.push_back(method.allocator->measure(views.back()));
      to_select.push_back(method.selector->measure(views.back()));
    }
    chunk_scores = method.scorer->score_all(views);
    const auto counts = allocate(method, count, budget, chunk_scores, to_allocate);
    for (size_t l = 0; l < all_layers; ++l) {
      auto& keep = kept_parts[l].emplace_back();
      layer_parts[l].push_back(cut_layer(method, views[l], chunk_scores[l], to_select[l],
                                         counts[static_cast<int64_t>(l)], keep));
    }
  }
  for (size_t l = 0; l < all_layers; ++l) {
    kept.push_back(concatenate(kept_parts[l], starts));
    layers.push_back(concatenate(layer_parts[l]));
  }
}

Compressor::Compressor(const Model& model, const Prefilled& prompt, const ProfileFacts& facts,
                       uint64_t seed, int64_t lead_tokens)
    : impl_(new Impl{model, prompt, facts, seed, lead_tokens}) {}

Compressor::~Compressor() = default;

Compression Compressor::compress(const Method& method, int64_t budget_tokens,
                                 int64_t tail_capacity) {
  if (method.is_full() || budget_tokens >= impl_->tokens()) {
    return {{}, impl_->whole(tail_capacity), !method.is_full()};
  }
  const Method& parts = method.at(budget_tokens);
  const int64_t least = parts.needs().min_budget_tokens;
  require(budget_tokens >= least, Kind::config,
          "method {}: a budget of {} tokens is below the {} it needs (of a prompt of {})",
          method.name, budget_tokens, least, impl_->tokens());

  if (!parts.compactor->is_costly()) return impl_->cut(parts, budget_tokens, tail_capacity);
  // Asked again for each question about a document.
  const auto key = fmt::format("{}@{}", parts.resolved(), budget_tokens);
  auto found = impl_->costly.find(key);
  if (found == impl_->costly.end()) {
    found = impl_->costly.emplace(key, impl_->cut(parts, budget_tokens, 0)).first;
  }
  return {found->second.kept, found->second.cache.fork(tail_capacity), false};
}

Compression Compressor::compress_to(const Method& method, const at::Tensor& counts,
                                    int64_t tail_capacity) {
  return impl_->cut_to(method, counts, tail_capacity);
}

CompactLayer Compressor::compress_layer(const Method& method, int64_t layer,
                                        const at::Tensor& counts) {
  const auto index = static_cast<size_t>(layer);
  KeepSet keep;
  return impl_->cut_layer(method, impl_->view(layer, method.needs().window_tokens),
                          impl_->scores_of(method)[index], impl_->selector_measures(method)[index],
                          counts, keep);
}

}  // namespace kvcal
