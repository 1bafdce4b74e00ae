// SPDX-License-Identifier: Apache-2.0
// How a layer's entries become a CompactLayer. `gather` copies the kept ones, so that the memory of
// the others can be freed: physical eviction.
#pragma once

#include <ATen/core/Tensor.h>

#include "kvcal/compress/compact_cache.hpp"
#include "kvcal/compress/keep_set.hpp"

namespace kvcal {

/// @param keys, values  [kv_heads, tokens, head_dim]
/// @return  copies of the kept entries, no bias
CompactLayer gather(const at::Tensor& keys, const at::Tensor& values, const KeepSet& keep);

}  // namespace kvcal
