// SPDX-License-Identifier: Apache-2.0
// What the scorers that look at the attention of all prompt queries share. Not a scorer.
#pragma once

#include <ATen/ATen.h>

#include "kvcal/compress/error.hpp"
#include "kvcal/compress/layer_view.hpp"

namespace kvcal {

/// [kv_heads, tokens] f32: attention that each token got from all prompt queries, mean over the
/// heads of a group.
/// @throws Error{Kind::shape} the statistics hold no column sums of this layer
inline at::Tensor column_sums_of_groups(const LayerView& view) {
  const auto& sums = view.statistics.column_sums;  // [heads, tokens]
  require(sums.defined() && sums.sizes() == at::IntArrayRef{view.heads(), view.tokens()},
          Kind::shape, "layer {} has no column sums of {} heads and {} tokens", view.layer,
          view.heads(), view.tokens());
  const int64_t group = view.heads() / view.kv_heads();
  return sums.view({view.kv_heads(), group, view.tokens()}).mean(1);
}

}  // namespace kvcal
