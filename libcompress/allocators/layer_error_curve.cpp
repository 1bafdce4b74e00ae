// SPDX-License-Identifier: Apache-2.0
/// Layer error curve: the split of the budget over layers whose errors are least in sum.
///
/// Source   ours; the errors are those of arXiv:2508.02401 (CompressKV), whose own rule
///          (layer_error.cpp) takes them at one budget as shares.
/// Rule     curves[l](entries) = mean relative error of layer l's output where eviction leaves so
///          many tokens (layer-budget --error-curve), 0 where it leaves all;
///          kept[l] as kl.cpp, by these curves.
/// Differs  none. Errors of layers are taken to add up, and to weigh the same at the output.
/// Checked  unit/layer_error_curve_test.cpp.
#include <ATen/ATen.h>

#include "budget_split.hpp"
#include "cost_split.hpp"

namespace kvcal {
namespace {

/// For a prompt of so many tokens.
CostCurves over_shares(const ErrorCurves& curves, int64_t tokens) {
  CostCurves costs;
  costs.losses.resize(curves.errors.size());
  for (size_t point = 0; point < curves.tokens.size() && curves.tokens[point] < tokens; ++point) {
    costs.shares.push_back(static_cast<double>(curves.tokens[point]) / static_cast<double>(tokens));
    for (size_t layer = 0; layer < curves.errors.size(); ++layer) {
      costs.losses[layer].push_back(curves.errors[layer][point]);
    }
  }
  costs.shares.push_back(1);
  for (auto& losses : costs.losses) losses.push_back(0);
  return costs;
}

struct LayerErrorCurve final : Allocator {
  using Params = CostSplitParams;

  explicit LayerErrorCurve(const Params& params) : params_(params) {}

  Needs needs() const override {
    Needs needs;
    needs.layer_error_curves = true;
    needs.min_budget_tokens = params_.min_tokens;
    return needs;
  }

  bool depends_on_prompt() const override { return true; }

  at::Tensor allocate(const AllocationRequest& request) const override {
    const auto& curves =
        curves_of(request, &ProfileFacts::layer_error_curves, "layer_error_curve", "error");
    const auto kept = entries_by_cost(request, over_shares(curves, request.tokens),
                                      protected_by_layer(request), params_);
    return for_all_kv_heads(kept, request.kv_heads);
  }

 private:
  Params params_;
};

}  // namespace

extern constexpr AllocatorInfo allocator_layer_error_curve = describe_allocator<LayerErrorCurve>(
    "layer_error_curve", "the layer budgets whose errors are least in sum");

}  // namespace kvcal
