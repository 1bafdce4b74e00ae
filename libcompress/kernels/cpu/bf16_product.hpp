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

/// Rows of x, packed: six by six, and within six the same kBf16Lanes numbers of each side by side,
/// so that a product reads them in order.
struct Bf16Rows {
  const uint16_t* x = nullptr;
  int64_t count = 0;
  int64_t width = 0;   ///< numbers of a row of x and of a weight row
  int64_t padded = 0;  ///< width rounded up to kBf16Lanes
};

/// @param x   [count, width]
/// @param to  [count * padded]: sixes (the last may be fewer) of [padded / kBf16Lanes, rows,
///            kBf16Lanes], zeros behind the width
void pack_bf16_rows(const uint16_t* x, int64_t count, int64_t width, int64_t padded, uint16_t* to);

/// out[r * out_stride + o] = x[r] . weight[o] in f32 for o = 0 .. outputs - 1, each summed in one
/// order whatever the number of rows and outputs. Only where has_bf16_products().
/// @param weight  [outputs, width] bf16
void multiply_bf16_rows(const Bf16Rows& rows, const uint16_t* weight, int64_t outputs, float* out,
                        int64_t out_stride);

}  // namespace kvcal::cpu
