// SPDX-License-Identifier: Apache-2.0
/// H2O: keep the heavy hitters, the tokens that all prompt tokens together attend to most.
///
/// Source   arXiv:2306.14048; KVCache-Factory `H2OKVCluster` (c97f9d7), GQA path.
/// Score    A = causal softmax(q k^T / sqrt(head_dim)) in f32 of all prompt queries;
///          s[g, t] = mean over heads h of group g of sum over queries i >= t of A[h, i, t].
/// Keeps    the last window_tokens (+inf); they are part of the budget.
/// Differs  from the paper, as KVCache-Factory: a fixed number of recent tokens, not half of the
///          budget, and no eviction while decoding.
/// Cost     time and memory O(heads * tokens), on top of the engine's column sums.
/// Checked  unit/h2o_test.cpp, parity/compress (KVCache-Factory).
#include <ATen/ATen.h>

#include "column_scores.hpp"
#include "kvcal/compress/scorer.hpp"
#include "window_scores.hpp"

namespace kvcal {
namespace {

struct H2o final : Scorer {
  struct Params {
    int64_t window_tokens = 8;  // KVCache-Factory run_longbench.py
    template <class Visitor>
    void visit(Visitor& v) {
      v.field("window_tokens", window_tokens, at_least(0), "last prompt tokens, always kept");
    }
  };

  explicit H2o(const Params& params) : params_(params) {}

  /// The window's queries are not asked for: only column sums count.
  Needs needs() const override {
    Needs needs;
    needs.column_sums = true;
    needs.min_budget_tokens = params_.window_tokens + 1;
    return needs;
  }

  at::Tensor score(const LayerView& view) const override {
    const int64_t window = std::min(params_.window_tokens, view.tokens());
    const auto sums = column_sums_of_groups(view);  // [kv_heads, tokens]
    return with_protected_window(sums.narrow(1, 0, view.tokens() - window), window);
  }

 private:
  Params params_;
};

}  // namespace

extern constexpr ScorerInfo scorer_h2o =
    describe_scorer<H2o>("h2o", "tokens that all prompt tokens together attend to most");

}  // namespace kvcal
