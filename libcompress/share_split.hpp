// SPDX-License-Identifier: Apache-2.0
// Splitting a budget by shares of KV heads (Attention Matching), whoever found them. Not an
// allocator.
#pragma once

#include <vector>

#include "kvcal/compress/allocator.hpp"

namespace kvcal {

/// What allocators by shares can be told.
struct ShareSplitParams {
  double max_fraction = 1;
  template <class Visitor>
  void visit(Visitor& v) {
    v.field("max_fraction", max_fraction, between(0, 1),
            "of the prompt's tokens that a KV head may keep");
  }
};

/// share * total entries, at most max_fraction of the prompt's tokens: what is cut goes to the
/// other KV heads in proportion to their shares. The nearest integers whose sum is the budget.
///
/// @param shares  [layers * kv_heads] >= 0, sum 1
/// @return  [layers, kv_heads] i64
/// @throws Error{config} max_fraction leaves less room than the budget
at::Tensor split_by_share(const AllocationRequest& request, const std::vector<double>& shares,
                          double max_fraction);

}  // namespace kvcal
