// SPDX-License-Identifier: Apache-2.0
/// Utility: KV heads share the budget by what the model's output loses when one of them is cut
/// alone.
///
/// Source   ours; the idea of an offline utility per head is that of LU-KV (arXiv:2602.08585).
/// Rule     as kl.cpp, a curve for each KV head of each layer.
/// Differs  none. Losses of KV heads are taken to add up, which they do not quite.
/// Checked  unit/cost_split_test.cpp.
#include <ATen/ATen.h>

#include "budget_split.hpp"
#include "cost_split.hpp"

namespace kvcal {
namespace {

struct Utility final : Allocator {
  using Params = CostSplitParams;

  explicit Utility(const Params& params) : params_(params) {}

  Needs needs() const override {
    Needs needs;
    needs.kv_head_costs = true;
    needs.min_budget_tokens = params_.min_tokens;
    return needs;
  }

  bool depends_on_prompt() const override { return true; }

  at::Tensor allocate(const AllocationRequest& request) const override {
    const auto& curves = curves_of(request, &ProfileFacts::kv_head_costs, "utility", "utility");
    const auto kept =
        entries_by_cost(request, curves, integers_of(protected_entries(request)), params_);
    return at::tensor(kept, at::kLong).view({request.layers, request.kv_heads});
  }

 private:
  Params params_;
};

}  // namespace

extern constexpr AllocatorInfo allocator_utility = describe_allocator<Utility>(
    "utility", "more entries for KV heads whose eviction changes the output more");

}  // namespace kvcal
