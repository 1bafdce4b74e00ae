// SPDX-License-Identifier: Apache-2.0
// What each device's kernels supply; the files above check the arguments and dispatch.
// kernels/cuda and kernels/no_cuda define the same symbols: the build takes one of the folders.
#pragma once

#include <ATen/core/Tensor.h>

#include <span>
#include <vector>

#include "kernels/streaming_columns.hpp"
#include "kvcal/compress/compact_cache.hpp"
#include "kvcal/compress/kernels.hpp"

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

/// Whether this processor is served by the two below: type and head_dim.
bool has_column_attention(const at::Tensor& queries, const at::Tensor& keys);
/// As kvcal::add_column_sums.
void add_column_sums(const at::Tensor& queries, const at::Tensor& keys, double scale,
                     at::Tensor& sums);
/// As kvcal::column_maxima.
ColumnMaxima column_maxima(const at::Tensor& queries, const at::Tensor& keys, double scale,
                           const at::Tensor& row_weights);
}  // namespace kvcal::cpu

namespace kvcal::cuda {
at::Tensor ragged_attention(const at::Tensor& queries, const CacheLayer& cache, double scale);

/// As kvcal::add_column_sums. No [new, seen] matrix is built.
void add_column_sums(const at::Tensor& queries, const at::Tensor& keys, double scale,
                     at::Tensor& sums);

/// What the columns before the window get from its rows, pooled; in one pass over the keys after
/// that for the rows' softmax.
/// @param queries  [heads, window, head_dim], the last rows of `keys` [kv_heads, tokens, head_dim]
/// @return  [heads, tokens - window] f32
at::Tensor pooled_window_mass(const at::Tensor& queries, const at::Tensor& keys, double scale,
                              Pool pool, int64_t kernel);
}  // namespace kvcal::cuda
