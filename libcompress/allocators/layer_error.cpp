// SPDX-License-Identifier: Apache-2.0
/// Layer error: layers that eviction hurts more keep more.
///
/// Source   arXiv:2508.02401 (CompressKV); its `error_aware_layer_budget_allocation` (e8af510).
/// Rule     rest = total - layers * min;
///          b[l] = clip(min + round_half_even(importance[l] * rest), min, max);
///          then one token at a time: missing ones to the most important layers below max, spare
///          ones from the least important above min, until the sum is exact.
///          max = max_ratio * budget_tokens. Every KV head of layer l keeps b[l].
/// Differs  max is capped at the prompt's tokens, so that no granted entry is lost and the total
///          stays exact (theirs loses what a short prompt cannot fill); budget_tokens < min_tokens
///          is refused (theirs keeps the minimum and exceeds the budget); min is at least what the
///          scores protect (theirs has a window no larger than min).
/// Checked  unit/layer_error_test.cpp (worked rows), parity/compress (CompressKV).
#include <algorithm>
#include <cmath>
#include <numeric>

#include "budget_split.hpp"

namespace kvcal {
namespace {

/// Adds `step` (+1 or -1) to layers in `order` until `missing` tokens are placed or none can move.
void settle(std::vector<int64_t>& budgets, const std::vector<size_t>& order, int64_t missing,
            int64_t step, int64_t limit) {
  bool has_moved = true;
  while (missing > 0 && has_moved) {
    has_moved = false;
    for (const size_t layer : order) {
      if (missing == 0) break;
      if (budgets[layer] == limit) continue;
      budgets[layer] += step;
      --missing;
      has_moved = true;
    }
  }
}

}  // namespace

std::vector<int64_t> allocate_by_layer_error(std::span<const double> importance, int64_t total,
                                             int64_t min_tokens, int64_t max_tokens) {
  const auto layers = static_cast<int64_t>(importance.size());
  const double rest = static_cast<double>(total - layers * min_tokens);
  std::vector<int64_t> budgets;
  for (const double share : importance) {
    // nearbyint rounds half to even, as Python's round and NumPy do.
    const auto wanted = min_tokens + static_cast<int64_t>(std::nearbyint(share * rest));
    // Not std::clamp: min wins where max < min.
    budgets.push_back(std::max(min_tokens, std::min(wanted, max_tokens)));
  }
  std::vector<size_t> order(importance.size());
  std::iota(order.begin(), order.end(), size_t{0});
  const int64_t missing = total - std::accumulate(budgets.begin(), budgets.end(), int64_t{0});
  if (missing > 0) {
    std::stable_sort(order.begin(), order.end(),
                     [&](size_t a, size_t b) { return importance[a] > importance[b]; });
    settle(budgets, order, missing, 1, max_tokens);
  } else {
    std::stable_sort(order.begin(), order.end(),
                     [&](size_t a, size_t b) { return importance[a] < importance[b]; });
    settle(budgets, order, -missing, -1, min_tokens);
  }
  return budgets;
}

namespace {

struct LayerError final : Allocator {
  /// Defaults of CompressKV `pred_compresskv.py`.
  struct Params {
    int64_t min_tokens = 32;
    double max_ratio = 3.0;
    template <class Visitor>
    void visit(Visitor& v) {
      v.field("min_tokens", min_tokens, at_least(1), "least entries of a layer's KV head");
      v.field("max_ratio", max_ratio, at_least(1), "most entries of a layer, in budgets");
    }
  };

  explicit LayerError(const Params& params) : params_(params) {}

  Needs needs() const override {
    Needs needs;
    needs.layer_error = true;
    needs.min_budget_tokens = params_.min_tokens;
    return needs;
  }

  at::Tensor allocate(const AllocationRequest& request) const override {
    const auto& importance = importance_of(request);
    const int64_t budget = request.budget_tokens;
    require_budget(request, params_.min_tokens, "min_tokens");
    const auto is_protected = protected_by_layer(request);
    const int64_t min_tokens =
        std::max(params_.min_tokens, *std::max_element(is_protected.begin(), is_protected.end()));
    const auto max_tokens = std::min(
        static_cast<int64_t>(params_.max_ratio * static_cast<double>(budget)), request.tokens);
    const auto budgets =
        allocate_by_layer_error(importance, budget * request.layers, min_tokens, max_tokens);
    return for_all_kv_heads(budgets, request.kv_heads);
  }

 private:
  static const std::vector<double>& importance_of(const AllocationRequest& request) {
    require(request.profile != nullptr && request.profile->layer_error.has_value(), Kind::config,
            "layer_error needs the layer errors of a profile: run layer-budget");
    const auto& importance = *request.profile->layer_error;
    require(static_cast<int64_t>(importance.size()) == request.layers, Kind::config,
            "the profile has errors of {} layers, the model has {}", importance.size(),
            request.layers);
    const double sum = std::accumulate(importance.begin(), importance.end(), 0.0);
    const bool is_distribution =
        std::all_of(importance.begin(), importance.end(), [](double value) { return value >= 0; });
    require(is_distribution && std::abs(sum - 1) < 1e-6, Kind::config,
            "layer errors of the profile sum to {}, need values >= 0 with sum 1", sum);
    return importance;
  }

  Params params_;
};

}  // namespace

extern constexpr AllocatorInfo allocator_layer_error = describe_allocator<LayerError>(
    "layer_error", "more entries for layers that eviction hurts more");

}  // namespace kvcal
