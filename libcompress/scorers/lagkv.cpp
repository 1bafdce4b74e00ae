// SPDX-License-Identifier: Apache-2.0
/// LagKV: keep the tokens whose keys and values stand out against those of the next partition.
///
/// Source   arXiv:2504.04704; kvpress `presses/lagkv_press.py` (0.5.5).
/// Score    the tokens after the sinks are cut into partitions of lag_tokens; for each but the last
///          whole one the next is the reference: per channel its least and greatest entry over
///          tokens, x scaled to u = (x - least) / (greatest - least), a[t] = std over channels of
///          u (unbiased), softmax over the tokens of the partition in f32; mean of this for keys
///          and for values. The score is its rank in the partition / lag_tokens (0 .. below 1), or
///          with cross_scoring the number itself.
///          The last whole partition and what follows score 1 and more, later tokens more; in
///          prompts of less than two partitions all tokens after the sinks do.
/// Keeps    the first sink_tokens (+inf).
/// Differs  a channel without spread in the reference counts as 0 (kvpress divides by zero); sinks
///          are protected, and the unranked last tokens are ordered, so that a budget below their
///          number keeps the most recent (kvpress gives all of them 1 and leaves ties open).
/// Cost     time O(kv_heads * tokens * head_dim); memory O(kv_heads * tokens * head_dim) f32.
/// Checked  unit/lagkv_test.cpp, parity/compress (kvpress).
#include <ATen/ATen.h>

#include "kvcal/compress/scorer.hpp"
#include "protection.hpp"

namespace kvcal {
namespace {

/// How much each token stands out against the next partition.
///
/// @param states  [kv_heads, partitions, lag, head_dim] f32, at least two partitions
/// @return  [kv_heads, partitions - 1, lag] f32, sums to 1 over a partition
at::Tensor contrast(const at::Tensor& states) {
  const int64_t scored = states.size(1) - 1;
  const auto reference = states.narrow(1, 1, scored);
  const auto least = reference.amin(2, /*keepdim=*/true);           // [kv_heads, scored, 1, dim]
  const auto spread = reference.amax(2, /*keepdim=*/true) - least;  // same
  const auto scaled = (states.narrow(1, 0, scored) - least) / spread;
  const auto counted = at::where(spread > 0, scaled, at::zeros_like(scaled));
  return at::softmax(counted.std(/*dim=*/-1, /*unbiased=*/true), -1);
}

/// Ranks along the last dimension, 0 the lowest; of equal scores the earlier ranks higher.
at::Tensor ranks(const at::Tensor& scores) {
  const auto best_first = scores.argsort(/*stable=*/true, /*dim=*/-1, /*descending=*/true);
  return scores.size(-1) - 1 - best_first.argsort(/*stable=*/true, /*dim=*/-1);
}

struct LagKv final : Scorer {
  /// Defaults of kvpress.
  struct Params {
    int64_t sink_tokens = 4;
    int64_t lag_tokens = 128;
    bool cross_scoring = false;
    template <class Visitor>
    void visit(Visitor& v) {
      v.field("sink_tokens", sink_tokens, at_least(0), "first prompt tokens, always kept");
      v.field("lag_tokens", lag_tokens, at_least(2), "tokens of a partition");
      v.field("cross_scoring", cross_scoring, any(),
              "compare scores of all partitions, not ranks inside each");
    }
  };

  explicit LagKv(const Params& params) : params_(params) {}

  Needs needs() const override {
    Needs needs;
    needs.min_budget_tokens = params_.sink_tokens + 1;
    return needs;
  }

  at::Tensor score(const LayerView& view) const override {
    const int64_t tokens = view.tokens(), sinks = std::min(params_.sink_tokens, tokens);
    const int64_t partitions = (tokens - sinks) / params_.lag_tokens;
    const int64_t ranked = std::max<int64_t>(partitions - 1, 0) * params_.lag_tokens;
    const auto options = view.keys.options().dtype(at::kFloat);
    auto scores = at::empty({view.kv_heads(), tokens}, options);  // [kv_heads, tokens]
    protect_first_(scores, sinks);
    if (ranked > 0) scores.narrow(1, sinks, ranked).copy_(scores_of_partitions(view, partitions));
    const int64_t rest = tokens - sinks - ranked;
    scores.narrow(1, sinks + ranked, rest).copy_(1 + at::arange(rest, options) / rest);
    return scores;
  }

 private:
  /// [kv_heads, (partitions - 1) * lag]
  at::Tensor scores_of_partitions(const LayerView& view, int64_t partitions) const {
    const auto split = [&](const at::Tensor& states) {
      return states.narrow(1, params_.sink_tokens, partitions * params_.lag_tokens)
          .to(at::kFloat)
          .reshape({view.kv_heads(), partitions, params_.lag_tokens, view.head_dim()});
    };
    auto scores = (contrast(split(view.keys)) + contrast(split(view.values))) / 2;
    if (!params_.cross_scoring) {
      scores = ranks(scores).to(at::kFloat) / static_cast<double>(params_.lag_tokens);
    }
    return scores.flatten(1);
  }

  Params params_;
};

}  // namespace

extern constexpr ScorerInfo scorer_lagkv =
    describe_scorer<LagKv>("lagkv", "tokens that stand out against the next partition");

}  // namespace kvcal
