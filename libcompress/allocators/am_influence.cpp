// SPDX-License-Identifier: Apache-2.0
/// Influence: shares of KV heads that lose least, by how the model's answers fare as one KV head
/// keeps more or less.
///
/// Source   arXiv:2602.16284 (Attention Matching); the authors' `head_budget_optimization/`
///          (2e59cc8), solver `ratio-agnostic`.
/// Rule     curves[l, k](ratio) = what the full cache's answers lose in log-likelihood as KV head k
///          of layer l keeps that ratio, all others a fixed one (layer-budget --measure influence);
///          shares = influence_shares(curves): steps of 0.001 move from the KV head that loses
///          least by it to the one that gains most, mean loss over budgets of 1, 2, 5 and 10 %;
///          split as head_share.
/// Differs  as head_share.
/// Checked  unit/head_shares_test.cpp, parity/compress (the authors' solver).
#include <ATen/ATen.h>

#include "kvcal/compress/error.hpp"
#include "share_split.hpp"

namespace kvcal {
namespace {

struct AmInfluence final : Allocator {
  using Params = ShareSplitParams;

  explicit AmInfluence(const Params& params) : params_(params) {}

  Needs needs() const override {
    Needs needs;
    needs.kv_head_influence = true;
    return needs;
  }

  /// The cap is a share of the prompt.
  bool depends_on_prompt() const override { return params_.max_fraction < 1; }

  at::Tensor allocate(const AllocationRequest& request) const override {
    require(request.profile != nullptr && request.profile->kv_head_influence.has_value(),
            Kind::config,
            "am_influence needs the influence of KV heads of a profile: run layer-budget "
            "--measure influence");
    const auto& curves = *request.profile->kv_head_influence;
    const auto heads = static_cast<int64_t>(curves.heads());
    require(heads == request.layers * request.kv_heads, Kind::config,
            "the profile has the influence of {} KV heads, the model has {}", heads,
            request.layers * request.kv_heads);
    return split_by_share(request, influence_shares(curves), params_.max_fraction);
  }

 private:
  Params params_;
};

}  // namespace

extern constexpr AllocatorInfo allocator_am_influence = describe_allocator<AmInfluence>(
    "am_influence", "shares of KV heads by what their compaction costs the model's answers");

}  // namespace kvcal
