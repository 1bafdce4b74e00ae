// SPDX-License-Identifier: Apache-2.0
/// CAKE: keep the tokens that the last prompt tokens attend to much, or by turns.
///
/// Source   arXiv:2503.12491; CompressKV's port `methods/cakekv/model/modify_llama.py` (e8af510).
/// Score    A as in snapkv.cpp; s[g, t] = mean over heads h of group g of
///          avgpool_t( mean over w of A[h, w, t] + gamma * var over w of A[h, w, t] ) (unbiased
///          variance), t < tokens - window.
/// Keeps    the window itself (+inf); it is part of the budget.
/// Differs  variance in f32 (theirs in f16).
/// Cost     time O(heads * window * tokens * head_dim); memory O(group * window * tokens) f32.
/// Checked  unit/cake_scorer_test.cpp, parity/compress (CompressKV).
#include <ATen/ATen.h>

#include "kvcal/compress/scorer.hpp"
#include "window_scores.hpp"

namespace kvcal {
namespace {

struct Cake final : Scorer {
  /// Defaults of CompressKV `pred_compresskv.py`.
  struct Params {
    int64_t window_tokens = 8;
    int64_t pool_kernel = 5;
    double gamma = 200;
    template <class Visitor>
    void visit(Visitor& v) {
      v.field("window_tokens", window_tokens, at_least(2),
              "last prompt tokens: their queries score");
      v.field("pool_kernel", pool_kernel, at_least(1), "tokens averaged into one score, odd");
      v.field("gamma", gamma, at_least(0), "weight of the variance against the mean");
    }
  };

  explicit Cake(const Params& params) : params_(params) { require_odd_kernel(params.pool_kernel); }

  Needs needs() const override {
    Needs needs;
    needs.window_tokens = params_.window_tokens;
    needs.min_budget_tokens = params_.window_tokens + 1;
    return needs;
  }

  at::Tensor score(const LayerView& view) const override {
    const int64_t group = view.heads() / view.kv_heads();
    std::vector<at::Tensor> past;
    for (int64_t k = 0; k < view.kv_heads(); ++k) {
      const auto rows = window_rows(view, params_.window_tokens, k * group, group)
                            .narrow(2, 0, view.tokens() - params_.window_tokens);
      const auto worth = rows.mean(1) + params_.gamma * rows.var(1);  // [group, past]
      past.push_back(pool_tokens(worth, "avg", params_.pool_kernel).mean(0));
    }
    return with_protected_window(at::stack(past), params_.window_tokens);
  }

 private:
  Params params_;
};

}  // namespace

extern constexpr ScorerInfo scorer_cake =
    describe_scorer<Cake>("cake", "tokens that the last prompt tokens attend to much or by turns");

}  // namespace kvcal
