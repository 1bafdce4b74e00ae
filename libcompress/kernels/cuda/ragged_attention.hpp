// SPDX-License-Identifier: Apache-2.0
// Between the Torch side (.cpp) and the CUDA side (.cu) of ragged attention: plain pointers and
// numbers, so that nvcc reads no Torch header.
#pragma once

#include <cstdint>

namespace kvcal::cuda {

enum class Element { f32, bf16, f16 };

/// Rows of [kv_heads, tail, head_dim] or [heads, new, head_dim]; strides in elements, head_dim
/// contiguous.
struct Rows {
  const void* data;
  int64_t head_stride;
  int64_t token_stride;
};

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

/// Largest head_dim that the kernel keeps in registers.
constexpr int64_t kMaxHeadDim = 256;

/// Starts the kernel on the default stream of the current device.
/// @return  null, or what CUDA said
const char* launch_ragged_attention(const RaggedArguments& arguments, Element element);

}  // namespace kvcal::cuda
