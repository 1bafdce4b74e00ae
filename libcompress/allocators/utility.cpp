// SPDX-License-Identifier: Apache-2.0
/// Utility: KV heads share the budget by what the model's output loses when one of them is cut
/// alone.
///
/// Source   ours; the idea of an offline utility per head is that of LU-KV (arXiv:2602.08585).
/// Rule     as kl.cpp, a curve for each KV head of each layer.
/// Differs  none. Losses of KV heads are taken to add up, which they do not quite.
/// Checked  unit/cost_split_test.cpp.
#include <ATen/ATen.h>

#include <algorithm>

#include "budget_split.hpp"
#include "cost_split.hpp"

namespace kvcal {
namespace {

struct Utility final : Allocator {
  struct Params {
    int64_t min_tokens = 8;
    template <class Visitor>
    void visit(Visitor& v) {
      v.field("min_tokens", min_tokens, at_least(1), "least entries of a KV head");
    }
  };

  explicit Utility(const Params& params) : params_(params) {}

  Needs needs() const override {
    Needs needs;
    needs.kv_head_costs = true;
    needs.min_budget_tokens = params_.min_tokens;
    return needs;
  }

  bool depends_on_prompt() const override { return true; }

  at::Tensor allocate(const AllocationRequest& request) const override {
    require_budget(request, params_.min_tokens, "min_tokens");
    require(request.profile != nullptr && request.profile->kv_head_costs.has_value(), Kind::config,
            "utility needs the cost curves of KV heads of a profile: run layer-budget --measure "
            "utility");
    auto least = integers_of(protected_entries(request));
    for (auto& entries : least) entries = std::max(entries, params_.min_tokens);
    const auto wanted =
        split_by_cost(*request.profile->kv_head_costs, least, request.tokens, request.total());
    const auto kept = round_to_total(wanted, least, request.tokens, request.total());
    return at::tensor(kept, at::kLong).view({request.layers, request.kv_heads});
  }

 private:
  Params params_;
};

}  // namespace

extern constexpr AllocatorInfo allocator_utility = describe_allocator<Utility>(
    "utility", "more entries for KV heads whose eviction changes the output more");

}  // namespace kvcal
