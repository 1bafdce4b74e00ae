// SPDX-License-Identifier: Apache-2.0
// The same product of few rows (row_product.hpp) by processors that multiply pairs of bf16 at once
// (AVX512-BF16): twice the products an instruction, and nothing to widen.
#pragma once

#include <cstdint>

namespace kvcal::cpu {

/// Numbers that one instruction takes of each side.
constexpr int64_t kBf16Lanes = 32;

/// Whether processor and system have the instructions; decided once.
bool has_bf16_products();

/// Rows of x, each padded with zeros to a multiple of kBf16Lanes.
struct Bf16Rows {
  const uint16_t* x = nullptr;  // [count, padded]
  int64_t count = 0;
  int64_t width = 0;   ///< numbers of a row of x and of a weight row
  int64_t padded = 0;  ///< width rounded up to kBf16Lanes
};

/// out[r * out_stride + o] = x[r] . weight[o] in f32 for o = 0 .. outputs - 1, each summed in one
/// order whatever the number of rows and outputs. Only where has_bf16_products().
/// @param weight  [outputs, width] bf16
void multiply_bf16_rows(const Bf16Rows& rows, const uint16_t* weight, int64_t outputs, float* out,
                        int64_t out_stride);

}  // namespace kvcal::cpu
