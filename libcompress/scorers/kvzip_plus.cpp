// SPDX-License-Identifier: Apache-2.0
/// KVzip+: KVzip, each attention times what it writes into the residual stream.
///
/// Source   kvpress `presses/kvzip_press.py` (0.5.5), `kvzip_plus_normalization`.
/// Score    A as in kvzip.cpp, x_i the input of the layer's attention (after its norm) at fed token
///          i, Wo_h the columns of the output projection that head h owns;
///          s[g, t] = max over heads h of group g and fed tokens i of
///                    A[h, i, t] * ||Wo_h v_t||_2 / ||x_i||_2.
/// Keeps    the first sink_tokens (+inf).
/// Differs  as kvzip.cpp; the largest row is taken before the factor of the column, which is the
///          same number for all rows; ||Wo_h v||^2 comes from v^T (Wo_h^T Wo_h) v.
/// Cost     of the replay: as kvzip.cpp; of the score: time O(heads * head_dim^2 * (hidden +
///          tokens)); memory O(heads * tokens + tokens * head_dim) f32.
/// Checked  parity/compress (kvpress), the whole replay on a model included.
#include <ATen/ATen.h>

#include "kvcal/compress/error.hpp"
#include "kvcal/compress/scorer.hpp"
#include "protection.hpp"

namespace kvcal {
namespace {

/// [heads, tokens] f32: ||Wo_h v_t||_2
at::Tensor output_norms(const LayerView& view, int64_t heads) {
  const int64_t head_dim = view.head_dim(), group = heads / view.kv_heads();
  auto norms = at::empty({heads, view.tokens()}, view.values.options().dtype(at::kFloat));
  for (int64_t h = 0; h < heads; ++h) {
    const auto weight =
        view.output_weight.narrow(1, h * head_dim, head_dim).to(at::kFloat);  // [hidden, head_dim]
    const auto values = view.values[h / group].to(at::kFloat);                // [tokens, head_dim]
    const auto squares = (at::mm(values, at::mm(weight.t(), weight)) * values).sum(1);  // [tokens]
    norms[h].copy_(squares.clamp_min(0).sqrt());
  }
  return norms;
}

struct KvzipPlus final : Scorer {
  struct Params {
    int64_t sink_tokens = 4;
    template <class Visitor>
    void visit(Visitor& v) {
      v.field("sink_tokens", sink_tokens, at_least(0), "first prompt tokens, always kept");
    }
  };

  explicit KvzipPlus(const Params& params) : params_(params) {}

  Needs needs() const override {
    Needs needs;
    needs.replay_weighted = true;
    needs.min_budget_tokens = params_.sink_tokens + 1;
    return needs;
  }

  at::Tensor score(const LayerView& view) const override {
    const auto& weighted = view.statistics.replay_weighted;  // [heads, tokens]
    require(weighted.defined() && weighted.size(1) == view.tokens(), Kind::shape,
            "layer {} has no weighted replay attention of its {} tokens", view.layer,
            view.tokens());
    const auto by_head = weighted * output_norms(view, weighted.size(0));
    auto scores = by_head.unflatten(0, {view.kv_heads(), -1}).amax(1);  // [kv_heads, tokens]
    protect_first_(scores, params_.sink_tokens);
    return scores;
  }

 private:
  Params params_;
};

}  // namespace

extern constexpr ScorerInfo scorer_kvzip_plus = describe_scorer<KvzipPlus>(
    "kvzip_plus", "KVzip's attention times what it writes into the residual stream");

}  // namespace kvcal
