// SPDX-License-Identifier: Apache-2.0
// What each device's kernels supply; ragged_attention.cpp checks the arguments and dispatches.
// kernels/cuda and kernels/no_cuda define the same symbol: the build takes one of the folders.
#pragma once

#include <ATen/core/Tensor.h>

#include <span>
#include <vector>

#include "kvcal/compress/compact_cache.hpp"

namespace kvcal::cpu {
/// @param queries  one a cache, [heads, new, head_dim] each
/// @return  one a cache, of the shape of its queries
std::vector<at::Tensor> ragged_attention(std::span<const at::Tensor> queries,
                                         std::span<const CacheLayer> caches, double scale);

/// Whether this processor is served by causal_attention: type and head_dim of the queries.
bool has_causal_attention(const at::Tensor& queries);
/// As kvcal::causal_attention.
at::Tensor causal_attention(const at::Tensor& queries, const at::Tensor& keys,
                            const at::Tensor& values, double scale);
}  // namespace kvcal::cpu

namespace kvcal::cuda {
at::Tensor ragged_attention(const at::Tensor& queries, const CacheLayer& cache, double scale);
}
