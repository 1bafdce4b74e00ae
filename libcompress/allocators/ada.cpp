// SPDX-License-Identifier: Apache-2.0
/// Ada: the KV heads of a layer share its budget by who holds the layer's best scores.
///
/// Source   arXiv:2407.11550 (Ada-KV); kvpress `presses/adakv_press.py` (0.5.5).
/// Rule     every KV head is sure of its own best max(1, floor(alpha * budget_tokens)) (none for
///          alpha = 0); the rest of kv_heads * budget_tokens goes to the highest scores of the
///          layer. Equal scores at the cut go to the first KV head.
/// Differs  protected entries are sure too, whatever alpha says.
/// Cost     time O(kv_heads * tokens * log tokens) per layer.
/// Checked  unit/ada_test.cpp, parity/compress (kvpress).
#include <ATen/ATen.h>

#include "budget_split.hpp"

namespace kvcal {
namespace {

struct Ada final : Allocator {
  /// alpha: AdaKVPress.alpha_safeguard.
  struct Params {
    double alpha = 0.2;
    template <class Visitor>
    void visit(Visitor& v) {
      v.field("alpha", alpha, between(0, 1), "share of the budget that every KV head is sure of");
    }
  };

  explicit Ada(const Params& params) : params_(params) {}

  Needs needs() const override { return {}; }
  bool depends_on_prompt() const override { return true; }

  at::Tensor allocate(const AllocationRequest& request) const override {
    require_budget(request, 1, "at least one entry");
    const auto sure = sure_entries(request.budget_tokens);
    const auto is_protected = protected_entries(request);  // [layers, kv_heads]
    const int64_t layer_total = request.budget_tokens * request.kv_heads;
    std::vector<at::Tensor> kept;
    for (int64_t l = 0; l < request.layers; ++l) {
      const auto least = is_protected[l].clamp_min(sure);  // [kv_heads]
      require(least.sum().item<int64_t>() <= layer_total, Kind::config,
              "layer {}: {} entries are protected or sure, the layer's budget is {}; need a larger "
              "budget or a smaller alpha",
              l, least.sum().item<int64_t>(), layer_total);
      kept.push_back(count_best(request.scores[static_cast<size_t>(l)], least, layer_total));
    }
    return at::stack(kept);
  }

 private:
  int64_t sure_entries(int64_t budget) const {
    if (params_.alpha == 0) return 0;
    const auto sure = static_cast<int64_t>(static_cast<double>(budget) * params_.alpha);
    return std::max<int64_t>(1, sure);
  }

  Params params_;
};

}  // namespace

extern constexpr AllocatorInfo allocator_ada =
    describe_allocator<Ada>("ada", "more entries for KV heads with the best scores of a layer");

}  // namespace kvcal
