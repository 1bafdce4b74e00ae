// SPDX-License-Identifier: Apache-2.0
#include "kernels/cpu/bf16_product.hpp"

#include "kernels/cpu/avx512.hpp"

#ifdef KVCAL_AVX512

#include <algorithm>

#include "kernels/cpu/row_product.hpp"
#include "kernels/cpu/vectors.hpp"

namespace kvcal::cpu {
namespace {

/// Sums of kRows rows of x with `outputs` <= 4 weight rows; missing weight rows repeat the first.
/// @param fetches_next  asks for the weight rows behind these meanwhile: products of many rows
/// would
///                      wait for memory between two groups of weights
template <int64_t kRows>
KVCAL_AVX512 inline void multiply_tile(const Bf16Rows& rows, int64_t first, const uint16_t* weight,
                                       int64_t outputs, bool fetches_next, float* out,
                                       int64_t out_stride) {
  const uint16_t* x = rows.x + first * rows.padded;
  const uint16_t* from[kWeightRows];
  for (int64_t w = 0; w < kWeightRows; ++w) from[w] = weight + (w < outputs ? w : 0) * rows.width;
  // All loops over it are unrolled, or it would live in memory instead of registers.
  __m512 sums[kRows][kWeightRows] = {};
  for (int64_t i = 0; i < rows.width; i += kBf16Lanes) {
    const int64_t left = rows.width - i;
    const __mmask32 mask = left >= kBf16Lanes ? ~0U : (1U << left) - 1;
    __m512bh part[kWeightRows];
    for (int64_t w = 0; w < kWeightRows; ++w) {
      part[w] = (__m512bh)_mm512_maskz_loadu_epi16(mask, from[w] + i);
      if (fetches_next) __builtin_prefetch(from[w] + kWeightRows * rows.width + i);
    }
#pragma GCC unroll 8
    for (int64_t r = 0; r < kRows; ++r) {
      const auto own = (__m512bh)_mm512_loadu_si512(x + r * rows.padded + i);
#pragma GCC unroll 8
      for (int64_t w = 0; w < kWeightRows; ++w) {
        sums[r][w] = _mm512_dpbf16_ps(sums[r][w], own, part[w]);
      }
    }
  }
#pragma GCC unroll 8
  for (int64_t r = 0; r < kRows; ++r) {
    F32x16 vectors[kWeightRows];
#pragma GCC unroll 8
    for (int64_t w = 0; w < kWeightRows; ++w) vectors[w] = (F32x16)sums[r][w];
    const F32x4 totals = sums_of(vectors);
    std::memcpy(out + (first + r) * out_stride, &totals,
                static_cast<size_t>(outputs) * sizeof(float));
  }
}

/// The rows from `first` on, which are at most kRows.
template <int64_t kRows>
KVCAL_AVX512 inline void multiply_rest(const Bf16Rows& rows, int64_t first, const uint16_t* weight,
                                       int64_t outputs, float* out, int64_t out_stride) {
  if (rows.count - first == kRows) {
    multiply_tile<kRows>(rows, first, weight, outputs, first == 0, out, out_stride);
  } else if constexpr (kRows > 1) {
    multiply_rest<kRows - 1>(rows, first, weight, outputs, out, out_stride);
  }
}

}  // namespace

bool has_bf16_products() {
  static const bool has = __builtin_cpu_supports("avx512bf16") &&
                          __builtin_cpu_supports("avx512bw") && __builtin_cpu_supports("avx512vl");
  return has;
}

KVCAL_AVX512 void multiply_bf16_rows(const Bf16Rows& rows, const uint16_t* weight, int64_t outputs,
                                     float* out, int64_t out_stride) {
  for (int64_t o = 0; o < outputs; o += kWeightRows) {
    const int64_t count = std::min(kWeightRows, outputs - o);
    const uint16_t* from = weight + o * rows.width;
    int64_t r = 0;
    for (; r + kMostRows <= rows.count; r += kMostRows) {
      multiply_tile<kMostRows>(rows, r, from, count, r == 0, out + o, out_stride);
    }
    multiply_rest<kMostRows - 1>(rows, r, from, count, out + o, out_stride);
  }
}

}  // namespace kvcal::cpu

#else

#include "kvcal/compress/error.hpp"

namespace kvcal::cpu {

bool has_bf16_products() {
  return false;
}

void multiply_bf16_rows(const Bf16Rows&, const uint16_t*, int64_t, float*, int64_t) {
  fail(Kind::internal, "built for a processor without products of bf16");
}

}  // namespace kvcal::cpu

#endif
