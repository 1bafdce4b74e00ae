// SPDX-License-Identifier: Apache-2.0
/// KL: layers share the budget by what the model's output loses when one of them is cut alone.
///
/// Source   ours; the measure of CompressKV's layer error (arXiv:2508.02401), taken at the output
///          and over several shares instead of one.
/// Rule     curves[l](share) = mean loss when layer l alone keeps that share (KL to the full cache
///          + what the reference answer lost); kept[l] by the curves' lower convex hulls
///          (cost_split.hpp) between min_tokens and max_ratio budgets, rounded to the exact total;
///          the same for all KV heads of a layer.
/// Differs  none. Losses of layers are taken to add up, which they do not quite.
/// Checked  unit/cost_split_test.cpp.
#include <ATen/ATen.h>

#include "budget_split.hpp"
#include "cost_split.hpp"

namespace kvcal {
namespace {

struct Kl final : Allocator {
  using Params = CostSplitParams;

  explicit Kl(const Params& params) : params_(params) {}

  Needs needs() const override {
    Needs needs;
    needs.layer_costs = true;
    needs.min_budget_tokens = params_.min_tokens;
    return needs;
  }

  bool depends_on_prompt() const override { return true; }

  at::Tensor allocate(const AllocationRequest& request) const override {
    const auto& curves = curves_of(request, &ProfileFacts::layer_costs, "kl", "kl");
    const auto kept = entries_by_cost(request, curves, protected_by_layer(request), params_);
    return for_all_kv_heads(kept, request.kv_heads);
  }

 private:
  Params params_;
};

}  // namespace

extern constexpr AllocatorInfo allocator_kl =
    describe_allocator<Kl>("kl", "more entries for layers whose eviction changes the output more");

}  // namespace kvcal
