// SPDX-License-Identifier: Apache-2.0
/// Ada (KVCache-Factory): Ada-KV's split of a layer with another floor; for comparison.
///
/// Source   KVCache-Factory `AdaKVCluster` (c97f9d7), after the authors' repository.
/// Rule     b = budget_tokens - window_tokens, f = floor(b * floor);
///          c[k] = how many of the kv_heads * b highest scores before the window KV head k holds,
///          each score first multiplied by (sum of the head's best b) / (sum of all its scores) if
///          normalize;
///          kept[k] = round_half_even(c[k] * (1 - floor) + f) + window_tokens.
///          The floor is blended in, not guaranteed, and rounding misses the total.
/// Differs  a head whose scores sum to 0 is not normalised; no KV head keeps fewer than its scores
///          protect.
/// Cost     time O(kv_heads * tokens * log tokens) per layer.
/// Checked  unit/ada_test.cpp, parity/compress (KVCache-Factory).
#include <ATen/ATen.h>

#include <limits>

#include "budget_split.hpp"

namespace kvcal {
namespace {

struct AdaKvf final : Allocator {
  /// Of KVCache-Factory's run_longbench.py.
  struct Params {
    int64_t window_tokens = 8;
    double floor = 0.2;
    bool normalize = true;
    template <class Visitor>
    void visit(Visitor& v) {
      v.field("window_tokens", window_tokens, at_least(1), "last tokens, kept besides the split");
      v.field("floor", floor, between(0, 1), "share of the even split in the blend");
      v.field("normalize", normalize, any(), "weigh a KV head by how concentrated it is");
    }
  };

  explicit AdaKvf(const Params& params) : params_(params) {}

  Needs needs() const override {
    Needs needs;
    needs.min_budget_tokens = params_.window_tokens + 1;
    return needs;
  }

  bool is_exact() const override { return false; }
  bool depends_on_prompt() const override { return true; }

  at::Tensor allocate(const AllocationRequest& request) const override {
    require_budget(request, params_.window_tokens + 1, "window_tokens + 1");
    const int64_t budget = request.budget_tokens - params_.window_tokens;
    const double even = std::floor(static_cast<double>(budget) * params_.floor);
    std::vector<at::Tensor> kept;
    for (const auto& scores : request.scores) {
      const auto won = won_by_head(scores, budget).to(at::kDouble);  // [kv_heads]
      const auto blended = at::round(won * (1 - params_.floor) + even).to(at::kLong);
      kept.push_back((blended + params_.window_tokens).clamp_max(request.tokens));
    }
    return at::maximum(at::stack(kept), protected_entries(request));
  }

 private:
  /// @param scores  [kv_heads, tokens]
  /// @return  [kv_heads] i64 on the CPU
  at::Tensor won_by_head(const at::Tensor& scores, int64_t budget) const {
    auto past = scores.narrow(1, 0, scores.size(1) - params_.window_tokens).to(at::kCPU);
    const auto is_protected = at::isposinf(past);  // [kv_heads, past]
    if (params_.normalize) {
      const auto finite = past.masked_fill(is_protected, 0);
      const auto best = std::get<0>(finite.topk(budget, 1)).sum(1, /*keepdim=*/true);
      const auto all = finite.sum(1, /*keepdim=*/true);  // [kv_heads, 1]
      const auto weight = at::where(all == 0, at::ones_like(all), best / all);
      past = (finite * weight).masked_fill(is_protected, std::numeric_limits<double>::infinity());
    }
    const int64_t total = scores.size(0) * budget;
    const auto nothing_sure = at::zeros({scores.size(0)}, at::kLong);
    return count_best(past, nothing_sure, total);
  }

  Params params_;
};

}  // namespace

extern constexpr AllocatorInfo allocator_ada_kvf =
    describe_allocator<AdaKvf>("ada_kvf", "Ada-KV's split as KVCache-Factory computes it");

}  // namespace kvcal
