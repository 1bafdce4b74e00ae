// SPDX-License-Identifier: Apache-2.0
/// SnapKV: keep the tokens that the last prompt tokens attend to most.
///
/// Source   arXiv:2404.14469; kvpress `presses/snapkv_press.py` (0.5.5), KVCache-Factory
///          `SnapKVCluster` (c97f9d7).
/// Score    window = the last window_tokens queries;
///          A = softmax(q k^T / sqrt(head_dim)) in f32 over all tokens, causal inside the window;
///          s[g, t] = mean over heads h of group g of pool_t( sum over w of A[h, w, t] ),
///          t < tokens - window. With pool_of = group the mean comes before the pooling
///          (KVCache-Factory); another result for pool = max only. With grouping = strided KV head
///          g is scored by the heads g, g + kv_heads, g + 2 kv_heads, ...
/// Keeps    the window itself (+inf); it is part of the budget.
/// Differs  from kvpress: sum over the window rows, not mean (same ranking). The strided grouping
///          is CompressKV's own SnapKV baseline, which for GQA asks heads of other KV heads; it is
///          here to reproduce its numbers, not to be used.
/// Cost     time O(heads * window * tokens * head_dim); memory O(group * window * tokens) f32.
/// Checked  unit/snapkv_test.cpp, parity/compress (kvpress, KVCache-Factory, CompressKV).
#include <ATen/ATen.h>

#include "kvcal/compress/scorer.hpp"
#include "window_scores.hpp"

namespace kvcal {
namespace {

struct SnapKv final : Scorer {
  /// Defaults are the authors' LongBench settings (`w32_k7_maxpool`).
  struct Params {
    int64_t window_tokens = 32;
    int64_t pool_kernel = 7;
    std::string pool = "max";
    std::string pool_of = "heads";
    std::string grouping = "contiguous";
    template <class Visitor>
    void visit(Visitor& v) {
      v.field("window_tokens", window_tokens, at_least(1),
              "last prompt tokens: their queries score");
      v.field("pool_kernel", pool_kernel, at_least(1), "tokens pooled into one score, odd");
      v.field("pool", pool, one_of({"avg", "max"}), "pooling of scores along tokens");
      v.field("pool_of", pool_of, one_of({"heads", "group"}),
              "pool each head, or the group's mean");
      v.field("grouping", grouping, one_of({"contiguous", "strided"}),
              "heads that score a KV head: its own, or every kv_heads-th (CompressKV)");
    }
  };

  explicit SnapKv(const Params& params) : params_(params) {
    require_odd_kernel(params.pool_kernel);
  }

  Needs needs() const override {
    Needs needs;
    needs.window_tokens = params_.window_tokens;
    needs.min_budget_tokens = params_.window_tokens + 1;
    return needs;
  }

  at::Tensor score(const LayerView& view) const override {
    return with_protected_window(
        params_.pool_of == "group" ? pooled_groups(view) : groups_of_pooled(view),
        params_.window_tokens);
  }

 private:
  at::Tensor pooled_groups(const LayerView& view) const {
    const auto mass = window_mass(view, params_.window_tokens);  // [heads, past]
    return pool_tokens(mean_of_groups(mass, view.kv_heads()), params_.pool, params_.pool_kernel);
  }
  at::Tensor groups_of_pooled(const LayerView& view) const {
    const auto pooled =
        pooled_window_mass(view, params_.window_tokens, params_.pool, params_.pool_kernel);
    return mean_of_groups(pooled, view.kv_heads());
  }

  /// [kv_heads, past] of [heads, past].
  at::Tensor mean_of_groups(const at::Tensor& mass, int64_t kv_heads) const {
    const int64_t group = mass.size(0) / kv_heads, past = mass.size(1);
    if (params_.grouping == "strided") return mass.view({group, kv_heads, past}).mean(0);
    return mass.view({kv_heads, group, past}).mean(1);
  }

  Params params_;
};

}  // namespace

extern constexpr ScorerInfo scorer_snapkv =
    describe_scorer<SnapKv>("snapkv", "tokens that the last prompt tokens attend to most");

}  // namespace kvcal
