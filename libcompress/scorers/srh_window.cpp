// SPDX-License-Identifier: Apache-2.0
/// SRH window: keep the tokens that semantic retrieval heads (SRHs) attend to, for all KV heads.
///
/// Source   arXiv:2508.02401 (CompressKV); its `methods/compresskv/snapkv_utils.py` (e8af510).
/// Score    heads = the first srh_heads of the layer's semantic ranking, each with its own KV head;
///          A as in snapkv.cpp; s[t] = mean over these heads of avgpool_t( sum over w of A[h, w, t]
///          ), t < tokens - window: one ranking for every KV head of the layer.
/// Keeps    the window itself (+inf); it is part of the budget.
/// Differs  more srh_heads than heads is an error (theirs takes what there is).
/// Cost     time O(srh_heads * window * tokens * head_dim); memory O(window * tokens) f32.
/// Checked  parity/compress (CompressKV).
#include <ATen/ATen.h>

#include "kvcal/compress/scorer.hpp"
#include "window_scores.hpp"

namespace kvcal {
namespace {

struct SrhWindow final : Scorer {
  /// Defaults of CompressKV `pred_compresskv.py`.
  struct Params {
    int64_t srh_heads = 4;
    int64_t window_tokens = 8;
    int64_t pool_kernel = 5;
    template <class Visitor>
    void visit(Visitor& v) {
      v.field("srh_heads", srh_heads, at_least(1),
              "heads of a layer, best of its semantic ranking");
      v.field("window_tokens", window_tokens, at_least(1),
              "last prompt tokens: their queries score");
      v.field("pool_kernel", pool_kernel, at_least(1), "tokens averaged into one score, odd");
    }
  };

  explicit SrhWindow(const Params& params) : params_(params) {
    require_odd_kernel(params.pool_kernel);
  }

  Needs needs() const override {
    Needs needs;
    needs.window_tokens = params_.window_tokens;
    needs.semantic_ranking = true;
    needs.min_budget_tokens = params_.window_tokens + 1;
    return needs;
  }

  at::Tensor score(const LayerView& view) const override {
    std::vector<at::Tensor> rows;
    for (const int64_t head : heads_of(view)) rows.push_back(row_of(view, head));
    const auto past = at::stack(rows).mean(0);  // [past]
    const auto shared = past.expand({view.kv_heads(), past.size(0)});
    return with_protected_window(shared, params_.window_tokens);
  }

 private:
  at::Tensor row_of(const LayerView& view, int64_t head) const {
    return pooled_window_mass(view, params_.window_tokens, head, 1, "avg", params_.pool_kernel)
        .squeeze(0);
  }

  std::vector<int64_t> heads_of(const LayerView& view) const {
    require(view.profile != nullptr && view.profile->semantic_ranking.has_value(), Kind::config,
            "srh_window needs the semantic ranking of a profile: run srh-identify");
    const auto& ranking = *view.profile->semantic_ranking;
    require(view.layer < static_cast<int64_t>(ranking.size()), Kind::config,
            "the profile ranks heads of {} layers, the model has a layer {}", ranking.size(),
            view.layer);
    const auto& layer = ranking[static_cast<size_t>(view.layer)];
    require(params_.srh_heads <= static_cast<int64_t>(layer.size()), Kind::config,
            "srh_heads = {}, need <= {} (heads ranked in layer {})", params_.srh_heads,
            layer.size(), view.layer);
    std::vector<int64_t> heads(layer.begin(), layer.begin() + params_.srh_heads);
    for (const int64_t head : heads) {
      require(head >= 0 && head < view.heads(), Kind::config,
              "the profile ranks head {} in layer {}, need 0 .. {}", head, view.layer,
              view.heads() - 1);
    }
    return heads;
  }

  Params params_;
};

}  // namespace

extern constexpr ScorerInfo scorer_srh_window =
    describe_scorer<SrhWindow>("srh_window", "tokens that semantic retrieval heads attend to");

}  // namespace kvcal
