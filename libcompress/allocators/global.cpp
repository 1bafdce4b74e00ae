// SPDX-License-Identifier: Apache-2.0
/// Global: the best scores of all layers and KV heads stay, wherever they are.
///
/// Source   arXiv:2505.23416 (KVzip); kvpress `KVzipPress.compress_post` (0.5.5), not layerwise.
/// Rule     kept[l, k] = how many of the layers * kv_heads * budget_tokens highest scores KV head k
///          of layer l holds. Equal scores at the cut go to the first layer, then the first KV
///          head.
/// Differs  no floor except for protected entries, as in kvpress: a KV head may keep nothing.
/// Cost     time O(n log tokens), memory O(n) with n = layers * kv_heads * tokens.
/// Checked  unit/global_test.cpp.
#include <ATen/ATen.h>

#include "budget_split.hpp"

namespace kvcal {
namespace {

struct Global final : Allocator {
  struct Params {
    template <class Visitor>
    void visit(Visitor&) {}
  };

  explicit Global(const Params&) {}

  Needs needs() const override { return {}; }
  bool depends_on_prompt() const override { return true; }

  at::Tensor allocate(const AllocationRequest& request) const override {
    require_budget(request, 1, "at least one entry");
    const std::vector<at::Tensor> layers(request.scores.begin(), request.scores.end());
    const auto scores = at::cat(layers);                      // [layers * kv_heads, tokens]
    const auto least = protected_entries(request).flatten();  // [layers * kv_heads]
    return count_best(scores, least, request.total()).view({request.layers, request.kv_heads});
  }
};

}  // namespace

extern constexpr AllocatorInfo allocator_global =
    describe_allocator<Global>("global", "the best scores of all layers and KV heads");

}  // namespace kvcal
