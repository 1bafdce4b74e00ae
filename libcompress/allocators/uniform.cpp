// SPDX-License-Identifier: Apache-2.0
/// Uniform: every layer and KV head keeps the same number of entries.
///
/// Source   the default of all methods.
/// Rule     kept[l, k] = budget_tokens.
/// Differs  none.
#include <ATen/ATen.h>

#include "kvcal/compress/allocator.hpp"

namespace kvcal {
namespace {

struct Uniform final : Allocator {
  struct Params {
    template <class Visitor>
    void visit(Visitor&) {}
  };

  explicit Uniform(const Params&) {}

  Needs needs() const override { return {}; }

  at::Tensor allocate(const AllocationRequest& request) const override {
    require(request.budget_tokens >= 1 && request.budget_tokens <= request.tokens, Kind::config,
            "budget_tokens = {}, need 1 .. {} (prompt tokens)", request.budget_tokens,
            request.tokens);
    return at::full({request.layers, request.kv_heads}, request.budget_tokens, at::kLong);
  }
};

}  // namespace

extern constexpr AllocatorInfo allocator_uniform =
    describe_allocator<Uniform>("uniform", "the same number of entries everywhere");

}  // namespace kvcal
