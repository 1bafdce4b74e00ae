// SPDX-License-Identifier: Apache-2.0
#include "kvcal/compress/layer_view.hpp"

#include <ATen/core/Tensor.h>

#include <algorithm>

#include "kvcal/compress/parallel.hpp"

namespace kvcal {

Needs Needs::operator|(const Needs& other) const {
  Needs both = *this;
  both.window_tokens = std::max(window_tokens, other.window_tokens);
  both.column_sums |= other.column_sums;
  both.query_moments |= other.query_moments;
  both.replay |= other.replay;
  both.replay_weighted |= other.replay_weighted;
  both.sentences |= other.sentences;
  both.head_kinds.insert(other.head_kinds.begin(), other.head_kinds.end());
  both.context_queries = std::max(context_queries, other.context_queries);
  both.repeat_queries = std::max(repeat_queries, other.repeat_queries);
  both.study_queries = std::max(study_queries, other.study_queries);
  both.semantic_ranking |= other.semantic_ranking;
  both.layer_error |= other.layer_error;
  both.layer_error_curves |= other.layer_error_curves;
  both.head_scores |= other.head_scores;
  both.layer_costs |= other.layer_costs;
  both.kv_head_costs |= other.kv_head_costs;
  both.streaming_pattern |= other.streaming_pattern;
  both.prune_table |= other.prune_table;
  both.kv_head_shares |= other.kv_head_shares;
  both.kv_head_influence |= other.kv_head_influence;
  both.min_budget_tokens = std::max(min_budget_tokens, other.min_budget_tokens);
  return both;
}

std::vector<at::Tensor> of_each_layer(std::span<const LayerView> layers,
                                      const std::function<at::Tensor(const LayerView&)>& find) {
  std::vector<at::Tensor> found(layers.size());
  if (layers.empty()) return found;
  share_out(layers.front().keys, static_cast<int64_t>(layers.size()), [&](int64_t layer) {
    const auto i = static_cast<size_t>(layer);
    found[i] = find(layers[i]);
  });
  return found;
}

}  // namespace kvcal
