// SPDX-License-Identifier: Apache-2.0
// Attention kernels: the same function on every device; kernels/cpu, kernels/cuda or
// kernels/no_cuda do the work.
#pragma once

#include <ATen/core/Tensor.h>

#include <span>
#include <vector>

#include "kvcal/compress/compact_cache.hpp"

namespace kvcal {

/// Attention of the new tokens of a prefill over all tokens up to each, the last of which they are.
/// A row has the same bits however a prompt is cut into chunks, where the processor has AVX-512 and
/// head_dim is a multiple of 64; on other processors LibTorch's flash attention does the work,
/// chunk by chunk, and on other devices its products, block by block.
///
/// @param queries  [heads, new, head_dim]
/// @param keys     [kv_heads, seen, head_dim], head_dim contiguous; the new tokens' are the last
/// @param values   like keys
/// @return  [new, heads * head_dim], dtype of queries
at::Tensor causal_attention(const at::Tensor& queries, const at::Tensor& keys,
                            const at::Tensor& values, double scale);

/// Attention of the last `new` tail tokens over a ragged cache.
///
/// Token i of the new ones sees the whole prefix and the tail up to itself (tail - new + i).
///
/// @param queries  [heads, new, head_dim], dtype of the cache (f32, bf16 or f16); new <= tail
/// @param cache    tail already holds the new tokens' keys and values
/// @param scale    logits are q.k * scale (+ prefix bias)
/// @return  [heads, new, head_dim], dtype of queries; softmax and sums in f32
at::Tensor ragged_attention(const at::Tensor& queries, const CacheLayer& cache, double scale);

/// The same for several sequences at once, as all variants of a prompt decode or read an answer. A
/// sequence's result does not depend on the others.
///
/// @param queries  one a sequence, [heads, new, head_dim]
/// @param caches   one a sequence, of one model
/// @return  one a sequence, of the shape of its queries
std::vector<at::Tensor> ragged_attention_batch(std::span<const at::Tensor> queries,
                                               std::span<const CacheLayer> caches, double scale);

/// x W^T of few rows, each summed in the same order whatever the others are: a row has the same
/// bits alone and in a batch, which matrix products of libraries do not promise. Reads each weight
/// once.
///
/// @param x       [rows, in] f32, bf16 or f16
/// @param weight  [out, in], same dtype
/// @return  [rows, out] f32
at::Tensor row_product(const at::Tensor& x, const at::Tensor& weight);

/// Softmax rows of the window queries, causal inside the last `window` columns.
///
/// @param queries  [heads, window, head_dim] of the last `window` tokens
/// @param keys     [kv_heads, tokens, head_dim]
/// @return  [heads, window, tokens] f32, rows sum to 1 (softmax over all tokens in f32)
at::Tensor window_attention(const at::Tensor& queries, const at::Tensor& keys, double scale);

/// Softmax rows of each head for some of the newest tail tokens, over prefix and tail up to the
/// token itself. A row has the same bits whatever the others are.
///
/// @param queries  [heads, new, head_dim] of the last `new` tail tokens
/// @param wanted   which of them, each in 0 .. new - 1
/// @param cache    prefix with the same count for every KV head
/// @return  of each wanted one [heads, kept + tail up to it] f32
std::vector<at::Tensor> attention_rows(const at::Tensor& queries, std::span<const int64_t> wanted,
                                       const CacheLayer& cache, double scale);

/// Adds to each column the softmax probabilities that all new query rows give it. Row i of the new
/// ones sees the keys up to its own; a chunked prompt therefore adds up to the column sums of the
/// whole causal attention matrix, of which only a block of rows is ever held.
///
/// @param queries  [heads, new, head_dim]
/// @param keys     [kv_heads, seen, head_dim]; the new tokens' keys are the last
/// @param sums     [heads, >= seen] f32, added to in place
void add_column_sums(const at::Tensor& queries, const at::Tensor& keys, double scale,
                     at::Tensor& sums);

struct ColumnMaxima {
  at::Tensor attention;  ///< [heads, seen] f32
  at::Tensor weighted;   ///< [heads, seen] f32; undefined without row weights
};

/// Largest softmax probability that any new query row gives each column; rows and columns as in
/// add_column_sums.
///
/// @param row_weights  [new] f32 >= 0, or undefined; the weighted maxima are of probability *
/// weight
ColumnMaxima column_maxima(const at::Tensor& queries, const at::Tensor& keys, double scale,
                           const at::Tensor& row_weights = {});

}  // namespace kvcal
