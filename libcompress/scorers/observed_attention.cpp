// SPDX-License-Identifier: Apache-2.0
/// Observed attention: keep the tokens that the average prompt token behind them attends to.
///
/// Source   kvpress `presses/observed_attention_press.py` (0.5.5).
/// Score    A as in h2o.cpp; s[g, t] = mean over heads h of group g of the mean over the queries
///          i >= t, which are tokens - t, of A[h, i, t]. H2O without its favour for early tokens.
/// Keeps    nothing by rule.
/// Differs  none.
/// Cost     time and memory O(heads * tokens), on top of the engine's column sums.
/// Checked  unit/observed_attention_test.cpp, parity/compress (kvpress).
#include <ATen/ATen.h>

#include "column_scores.hpp"
#include "kvcal/compress/scorer.hpp"

namespace kvcal {
namespace {

struct ObservedAttention final : Scorer {
  struct Params {
    template <class Visitor>
    void visit(Visitor&) {}
  };

  explicit ObservedAttention(const Params&) {}

  Needs needs() const override {
    Needs needs;
    needs.column_sums = true;
    return needs;
  }

  at::Tensor score(const LayerView& view) const override {
    const auto sums = column_sums_of_groups(view);                   // [kv_heads, tokens]
    return sums / at::arange(view.tokens(), 0, -1, sums.options());  // rows that see a column
  }
};

}  // namespace

extern constexpr ScorerInfo scorer_observed_attention = describe_scorer<ObservedAttention>(
    "observed_attention", "tokens that the average prompt token behind them attends to");

}  // namespace kvcal
