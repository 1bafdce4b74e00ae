// SPDX-License-Identifier: Apache-2.0
/// Head share: each KV head's share of all entries, as the profile has it.
///
/// Source   arXiv:2602.16284 (Attention Matching); the authors' `compaction_methods/base.py`
///          (2e59cc8) and the head budgets in their JSON files.
/// Rule     wanted[l, k] = share[l, k] * budget_tokens * layers * kv_heads, at most max_fraction of
///          the prompt's tokens: what is cut goes to the other KV heads in proportion to their
///          shares. Rounded to the nearest integers whose sum is the budget.
/// Differs  the authors round down and lose the rest, and their capping can leave heads above the
///          cap.
/// Checked  unit/head_share_test.cpp, parity/compress (the authors' solver and cap).
#include <ATen/ATen.h>

#include "kvcal/compress/error.hpp"
#include "share_split.hpp"

namespace kvcal {
namespace {

struct HeadShare final : Allocator {
  using Params = ShareSplitParams;

  explicit HeadShare(const Params& params) : params_(params) {}

  Needs needs() const override {
    Needs needs;
    needs.kv_head_shares = true;
    return needs;
  }

  /// The cap is a share of the prompt.
  bool depends_on_prompt() const override { return params_.max_fraction < 1; }

  at::Tensor allocate(const AllocationRequest& request) const override {
    return split_by_share(request, shares_of(request), params_.max_fraction);
  }

 private:
  /// [layers * kv_heads]
  static std::vector<double> shares_of(const AllocationRequest& request) {
    require(request.profile != nullptr && request.profile->kv_head_shares.has_value(), Kind::config,
            "head_share needs the shares of KV heads of a profile: kv-inspect import --format "
            "am_head_budgets");
    std::vector<double> flat;
    double sum = 0;
    for (const auto& layer : *request.profile->kv_head_shares) {
      for (const double share : layer) {
        flat.push_back(share);
        sum += share;
      }
    }
    require(static_cast<int64_t>(flat.size()) == request.layers * request.kv_heads && sum > 0,
            Kind::config, "the profile has shares of {} KV heads with the sum {}, need {} and > 0",
            flat.size(), sum, request.layers * request.kv_heads);
    for (double& share : flat) share /= sum;
    return flat;
  }

  Params params_;
};

}  // namespace

extern constexpr AllocatorInfo allocator_head_share =
    describe_allocator<HeadShare>("head_share", "shares of KV heads that the profile has");

}  // namespace kvcal
