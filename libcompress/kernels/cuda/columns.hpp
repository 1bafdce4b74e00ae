// SPDX-License-Identifier: Apache-2.0
// Between the Torch side (.cpp) and the CUDA side (.cu) of what each key column gets from a chunk
// of query rows.
#pragma once

#include "kernels/cuda/rows.hpp"
#include "kernels/streaming_columns.hpp"

namespace kvcal::cuda {

struct ColumnArguments {
  Rows queries;               // [heads, new, head_dim], the last rows of the tokens seen
  Rows keys;                  // [kv_heads, seen, head_dim]
  RunningSoftmax* softmaxes;  // [heads, new], room for each row's
  float* output;              // [heads, .. columns]
  int64_t output_stride;      // of a head
  int64_t heads, kv_heads, new_tokens, seen_tokens, head_dim;
  float scale;
};

/// Adds to output[head, column] what all rows give to it.
/// @return  null, or what CUDA said
const char* launch_column_sums(const ColumnArguments& arguments, Element element);

/// Writes output[head, column] for the columns before the first row: their sums, pooled.
/// @param kernel  odd, at most kMaxPoolKernel
const char* launch_pooled_columns(const ColumnArguments& arguments, Pool pool, int64_t kernel,
                                  Element element);

constexpr int64_t kMaxPoolKernel = 4095;  // its neighbourhood lies in shared memory

}  // namespace kvcal::cuda
