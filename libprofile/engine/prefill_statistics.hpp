// SPDX-License-Identifier: Apache-2.0
// What methods asked for, gathered while the prefill runs: window queries, column sums, query
// moments. Not the replay, which needs passes of its own (replay.hpp).
#pragma once

#include <ATen/core/Tensor.h>

#include <map>
#include <vector>

#include "kvcal/compress/layer_view.hpp"
#include "kvcal/profile/model.hpp"

namespace kvcal {

/// Chunks come in order. What is held after some tokens depends on these tokens and their chunks
/// alone, so a clone taken there goes on with any other rest of a prompt.
class PrefillStatistics : public LayerObserver {
 public:
  PrefillStatistics(int64_t layers, const Needs& needs);

  void after_attention(const AttentionStep& step) override;
  bool wants_queries_before_rope() const override { return needs_.query_moments; }

  /// True for needs whose value after some tokens depends on all of them, not on the last ones
  /// alone: a prompt can start only where a snapshot is.
  static bool accumulates(const Needs& needs) {
    return needs.column_sums || needs.query_moments || needs.context_queries > 0;
  }

  /// False when nothing was asked for that a prefill can give.
  bool is_needed() const;
  /// A copy that shares no memory.
  PrefillStatistics clone() const;

  /// [layers], each [heads, window, head_dim], or undefined when no window was asked for.
  std::vector<at::Tensor> window_queries() const;
  /// [layers]
  std::vector<LayerStatistics> statistics() const;

 private:
  struct Layer {
    at::Tensor window;          // [heads, up to window_tokens, head_dim]
    at::Tensor column_sums;     // [heads, seen] f32
    at::Tensor query_sum;       // [heads, head_dim] f64
    at::Tensor query_products;  // [heads, head_dim, head_dim] f64
    int64_t query_count = 0;
    ReferenceQueries context;  // its tensors are never changed, so copies may share them
  };
  void add_window(const AttentionStep& step, Layer& layer) const;
  static void add_columns(const AttentionStep& step, Layer& layer);
  static void add_moments(const AttentionStep& step, Layer& layer);

  Needs needs_;
  std::vector<Layer> layers_;
};

struct PrefillSnapshots {
  std::map<int64_t, PrefillStatistics> by_tokens;

  /// Those of the first `tokens`, sharing memory: nothing changes a snapshot.
  PrefillSnapshots up_to(int64_t tokens) const {
    return {{by_tokens.begin(), by_tokens.upper_bound(tokens)}};
  }
};

}  // namespace kvcal
