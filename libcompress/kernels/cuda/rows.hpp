// SPDX-License-Identifier: Apache-2.0
// Rows of numbers as both sides of the CUDA kernels know them: plain pointers, so that nvcc reads
// no Torch header.
#pragma once

#include <cstdint>

namespace kvcal::cuda {

enum class Element { f32, bf16, f16 };

/// Rows of [heads, tokens, head_dim]; strides in elements, head_dim contiguous.
struct Rows {
  const void* data;
  int64_t head_stride;
  int64_t token_stride;
};

/// Largest head_dim that the kernels keep in registers.
constexpr int64_t kMaxHeadDim = 256;

}  // namespace kvcal::cuda
