// SPDX-License-Identifier: Apache-2.0
/// DropKV: keep the tokens whose loss alone would change the output most.
///
/// Source   openreview MqfNzH3TVH; kvpress pull request #285, issue #284 (not in a release).
/// Score    p = softmax(q k^T / sqrt(head_dim)) in f32 of the last window_tokens queries, causal
///          inside the window; o[h, w] = sum over t of p[h, w, t] v[t];
///          r[g, t] = mean over heads h of group g of
///                    sum over w of (p[h, w, t] / (1 - p[h, w, t]))^2 ||v[g, t] - o[h, w]||^2:
///          the squared change of the output when token t alone goes; s = avgpool_t(r).
///          Squared output, so KV heads compare: made for budgets shared by the heads of a layer.
/// Keeps    the window itself (+inf); it is part of the budget.
/// Differs  1 - p is at least epsilon (theirs adds it); distances are taken directly, not from
///          ||v||^2 - 2 v.o + ||o||^2, which loses all digits where p is close to 1. As theirs and
///          unlike SnapKV, pooling reaches into the window's own scores.
/// Cost     time O(heads * window * tokens * head_dim); memory O(group * window * tokens) f32.
/// Checked  unit/dropkv_test.cpp (tokens taken out one by one). No reference case: theirs was read,
///          not run.
#include <ATen/ATen.h>

#include "kvcal/compress/scorer.hpp"
#include "window_scores.hpp"

namespace kvcal {
namespace {

struct DropKv final : Scorer {
  /// Defaults of kvpress pull request #285.
  struct Params {
    int64_t window_tokens = 32;
    int64_t pool_kernel = 7;
    double epsilon = 1e-6;
    template <class Visitor>
    void visit(Visitor& v) {
      v.field("window_tokens", window_tokens, at_least(1),
              "last prompt tokens: their outputs count");
      v.field("pool_kernel", pool_kernel, at_least(1), "tokens averaged into one score, odd");
      v.field("epsilon", epsilon, between(1e-12, 1), "least share of the other tokens");
    }
  };

  explicit DropKv(const Params& params) : params_(params) {
    require_odd_kernel(params.pool_kernel);
  }

  Needs needs() const override {
    Needs needs;
    needs.window_tokens = params_.window_tokens;
    needs.min_budget_tokens = params_.window_tokens + 1;
    return needs;
  }

  at::Tensor score(const LayerView& view) const override {
    std::vector<at::Tensor> rows;
    for (int64_t k = 0; k < view.kv_heads(); ++k) rows.push_back(output_change(view, k));
    const auto pooled = pool_tokens(at::stack(rows), "avg", params_.pool_kernel);
    return with_protected_window(pooled.narrow(1, 0, view.tokens() - params_.window_tokens),
                                 params_.window_tokens);
  }

 private:
  /// [tokens]
  at::Tensor output_change(const LayerView& view, int64_t kv_head) const {
    const int64_t group = view.heads() / view.kv_heads();
    const auto shares = window_rows(view, params_.window_tokens, kv_head * group,
                                    group);                   // [group, window, tokens]
    const auto values = view.values[kv_head].to(at::kFloat);  // [tokens, head_dim]
    const auto outputs = at::matmul(shares, values);          // [group, window, head_dim]
    // Mode 2: never by way of a matrix product.
    const auto distances = at::cdist(outputs.flatten(0, 1), values, /*p=*/2.0, /*compute_mode=*/2);
    const auto odds = shares / (1 - shares).clamp_min(params_.epsilon);
    return (odds * distances.view_as(odds)).square().sum(1).mean(0);
  }

  Params params_;
};

}  // namespace

extern constexpr ScorerInfo scorer_dropkv =
    describe_scorer<DropKv>("dropkv", "tokens whose loss would change the output most");

}  // namespace kvcal
