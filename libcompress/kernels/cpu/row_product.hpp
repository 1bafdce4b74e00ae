// SPDX-License-Identifier: Apache-2.0
// The inner part of products of few rows with a weight matrix.
#pragma once

#include <cstdint>

namespace kvcal::cpu {

/// Weight rows that share one load of x. With kMostRows rows of x, their sums fill the 32 registers
/// of AVX-512 but for one weight and one x.
constexpr int64_t kWeightRows = 4;
constexpr int64_t kMostRows = 6;

enum class WeightType { f32, bf16, f16 };

/// Rows of x, each padded with zeros to a multiple of kLanes.
struct ProductRows {
  const float* x = nullptr;  // [count, padded]
  int64_t count = 0;
  int64_t width = 0;   ///< numbers of a row of x and of a weight row
  int64_t padded = 0;  ///< width rounded up to kLanes
};

/// out[r * out_stride + o] = x[r] . weight[o] in f32 for o = 0 .. outputs - 1. Each sum is taken in
/// one order, whatever the number of rows and outputs.
/// @param weight  [outputs, width] of the given type
void multiply_rows(const ProductRows& rows, const void* weight, WeightType type, int64_t outputs,
                   float* out, int64_t out_stride);

}  // namespace kvcal::cpu
