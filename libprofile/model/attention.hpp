// SPDX-License-Identifier: Apache-2.0
// Attention of one chunk in the forward pass: picks the fast way for what the cache holds.
#pragma once

#include <ATen/core/Tensor.h>

#include "kvcal/compress/compact_cache.hpp"

namespace kvcal {

/// @param queries  [heads, new, head_dim]
/// @param cache    tail already holds the new tokens' keys and values
/// @return  [new, heads * head_dim]
at::Tensor attend(const at::Tensor& queries, const CacheLayer& cache, double scale);

}  // namespace kvcal
