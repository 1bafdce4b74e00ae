// SPDX-License-Identifier: Apache-2.0
/// Expected attention: keep the tokens that queries still to come are likely to attend to.
///
/// Source   arXiv:2510.00636; kvpress `presses/expected_attention_press.py` (0.5.5).
/// Score    future queries are taken as normal, with the mean m[h] and covariance C[h] of the
///          prompt's queries before RoPE, rotated by R = mean of the RoPE matrices of the
///          n_future positions after the prompt: m' = R m, C' = R C R^T. With the logits' scale
///          c = 1 / sqrt(head_dim) the expected weight of a key is
///          exp(c m'.k + c^2 k^T C' k / 2): p[h, t] = softmax over t of that exponent in f32,
///          sinks left out;
///          s[g, t] = (mean over heads h of group g of p[h, t] + epsilon) * ||v[g, t]||_2.
/// Keeps    the first sink_tokens (+inf).
/// Differs  the statistics leave out the first kMomentsSkipTokens whatever sink_tokens is (4 both
///          in kvpress); angles are f64. The paper weighs with the projected value's norm, as
///          neither kvpress nor we do.
/// Cost     time O(heads * tokens * head_dim^2); memory O(group * tokens * head_dim) f32.
/// Checked  unit/expected_attention_test.cpp, parity/compress (kvpress).
#include <ATen/ATen.h>

#include <cmath>

#include "kvcal/compress/scorer.hpp"

namespace kvcal {
namespace {

/// Mean of the RoPE matrices of positions first .. first + count - 1 (rotate-half).
///
/// @param frequencies  [head_dim / 2]
/// @return  [head_dim, head_dim] f32
at::Tensor mean_rotation(const at::Tensor& frequencies, int64_t first, int64_t count) {
  const auto options = frequencies.options().dtype(at::kDouble);
  const auto positions = at::arange(first, first + count, options);       // [count]
  const auto angles = at::outer(positions, frequencies.to(at::kDouble));  // [count, head_dim / 2]
  const auto cos = at::diag(angles.cos().mean(0)), sin = at::diag(angles.sin().mean(0));
  return at::cat({at::cat({cos, -sin}, 1), at::cat({sin, cos}, 1)}, 0).to(at::kFloat);
}

/// Queries to come, of all heads.
struct Moments {
  at::Tensor mean;        ///< [heads, head_dim] f32
  at::Tensor covariance;  ///< [heads, head_dim, head_dim] f32
};

/// What the prompt's queries would be like at the n_future positions after it.
Moments future_moments(const LayerView& view, int64_t n_future) {
  const auto& mean = view.statistics.query_mean;
  const auto& covariance = view.statistics.query_covariance;
  const int64_t heads = view.heads(), dim = view.head_dim();
  require(mean.defined() && covariance.defined() && mean.sizes() == at::IntArrayRef{heads, dim} &&
              covariance.sizes() == at::IntArrayRef{heads, dim, dim},
          Kind::shape, "layer {} has no query moments of {} heads with {} channels", view.layer,
          heads, dim);
  const auto rotation = mean_rotation(view.rope_frequencies, view.tokens(), n_future);
  return {at::matmul(mean, rotation.t()),
          at::matmul(rotation, at::matmul(covariance, rotation.t()))};
}

struct ExpectedAttention final : Scorer {
  /// Defaults of kvpress.
  struct Params {
    int64_t sink_tokens = 4;
    int64_t n_future = 512;
    bool use_covariance = true;
    bool use_vnorm = true;
    double epsilon = 0;
    template <class Visitor>
    void visit(Visitor& v) {
      v.field("sink_tokens", sink_tokens, at_least(0), "first prompt tokens, always kept");
      v.field("n_future", n_future, at_least(1), "positions after the prompt to expect queries at");
      v.field("use_covariance", use_covariance, any(), "count the spread of queries too");
      v.field("use_vnorm", use_vnorm, any(), "weigh with the norm of the value");
      v.field("epsilon", epsilon, at_least(0), "added to the expected attention");
    }
  };

  explicit ExpectedAttention(const Params& params) : params_(params) {}

  Needs needs() const override {
    Needs needs;
    needs.query_moments = true;
    needs.min_budget_tokens = params_.sink_tokens + 1;
    return needs;
  }

  at::Tensor score(const LayerView& view) const override {
    const Moments future = future_moments(view, params_.n_future);
    const int64_t group = view.heads() / view.kv_heads();
    const int64_t sinks = std::min(params_.sink_tokens, view.tokens());
    const auto protect = at::full({sinks}, std::numeric_limits<double>::infinity(),
                                  view.keys.options().dtype(at::kFloat));
    std::vector<at::Tensor> rows;
    for (int64_t k = 0; k < view.kv_heads(); ++k) {
      const auto keys = view.keys[k].slice(0, sinks).to(at::kFloat);  // [tokens - sinks, head_dim]
      auto row = expected_weights(future, keys, k * group, group) + params_.epsilon;
      if (params_.use_vnorm) {
        const auto values = view.values[k].slice(0, sinks).to(at::kFloat);
        row = row * at::linalg_vector_norm(values, 2, {1});
      }
      rows.push_back(at::cat({protect, row}));
    }
    return at::stack(rows);  // [kv_heads, tokens]
  }

 private:
  /// Mean over `group` heads from `first` on of the attention that each key may expect.
  ///
  /// @param keys  [rest, head_dim] f32
  /// @return  [rest], sums to 1
  at::Tensor expected_weights(const Moments& future, const at::Tensor& keys, int64_t first,
                              int64_t group) const {
    const auto dim = static_cast<double>(keys.size(1));
    auto logits = at::matmul(future.mean.narrow(0, first, group), keys.t()) / std::sqrt(dim);
    if (params_.use_covariance) {
      const auto spread = at::matmul(keys, future.covariance.narrow(0, first, group)) * keys;
      logits = logits + spread.sum(2) / (2 * dim);  // [group, rest]
    }
    return at::softmax(logits, 1).mean(0);
  }

  Params params_;
};

}  // namespace

extern constexpr ScorerInfo scorer_expected_attention = describe_scorer<ExpectedAttention>(
    "expected_attention", "tokens that queries to come are likely to attend to");

}  // namespace kvcal
