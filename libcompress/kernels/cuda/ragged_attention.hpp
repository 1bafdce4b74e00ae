// SPDX-License-Identifier: Apache-2.0
// Between the Torch side (.cpp) and the CUDA side (.cu) of ragged attention: plain pointers and
// numbers, so that nvcc reads no Torch header.
#pragma once

#include "kernels/cuda/rows.hpp"

namespace kvcal::cuda {

struct RaggedArguments {
  Rows queries, tail_keys, tail_values;
  const void* prefix_keys;    // [total_kept, head_dim], or what entry_rows point into
  const void* prefix_values;  // same
  const int32_t* entry_rows;  // [total_kept] or null: entry i is row i
  const float* bias;          // [total_kept] or null
  const int64_t* offsets;     // [kv_heads + 1], on the device
  void* output;               // [heads, new, head_dim]
  int64_t heads, kv_heads, new_tokens, tail_tokens, head_dim;
  float scale;
};

/// Starts the kernel on the default stream of the current device.
/// @return  null, or what CUDA said
const char* launch_ragged_attention(const RaggedArguments& arguments, Element element);

}  // namespace kvcal::cuda
