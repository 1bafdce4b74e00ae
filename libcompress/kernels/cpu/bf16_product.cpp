// SPDX-License-Identifier: Apache-2.0
#include "kernels/cpu/bf16_product.hpp"

#include "kernels/cpu/avx512.hpp"

#ifdef KVCAL_AVX512

#include <algorithm>

#include "kernels/cpu/row_product.hpp"
#include "kernels/cpu/vectors.hpp"

namespace kvcal::cpu {
namespace {

/// The weight rows of a tile.
struct WeightTile {
  const uint16_t* first;
  int64_t width;
  int64_t count;  ///< 1 .. kWeightRows; missing ones repeat the first

  const uint16_t* row(int64_t w) const { return first + (w < count ? w : 0) * width; }
};

/// One step of a tile: kBf16Lanes numbers of each row. A mask of them all costs nothing.
template <int64_t kRows>
KVCAL_AVX512 inline void add_step(const uint16_t* x, const uint16_t* const* weights, int64_t at,
                                  __mmask32 mask, __m512 (&sums)[kRows][kWeightRows]) {
  __m512bh part[kWeightRows];
#pragma GCC unroll 8
  for (int64_t w = 0; w < kWeightRows; ++w) {
    part[w] = (__m512bh)_mm512_maskz_loadu_epi16(mask, weights[w] + at);
  }
#pragma GCC unroll 8
  for (int64_t r = 0; r < kRows; ++r) {
    const auto own = (__m512bh)_mm512_loadu_si512(x + r * kBf16Lanes);
#pragma GCC unroll 8
    for (int64_t w = 0; w < kWeightRows; ++w) {
      sums[r][w] = _mm512_dpbf16_ps(sums[r][w], own, part[w]);
    }
  }
}

/// Sums of kRows packed rows of x with a tile of weights.
/// @param fetches_next  asks for the weight rows behind these meanwhile: products of many rows
///                      would wait for memory between two tiles of weights
/// @param out           [kRows, count] out_stride apart
template <int64_t kRows>
KVCAL_AVX512 inline void multiply_tile(const uint16_t* x, const WeightTile& weight,
                                       bool fetches_next, float* out, int64_t out_stride) {
  const uint16_t* weights[kWeightRows];
  for (int64_t w = 0; w < kWeightRows; ++w) weights[w] = weight.row(w);
  // All loops over it are unrolled, or it would live in memory instead of registers.
  __m512 sums[kRows][kWeightRows] = {};
  const int64_t whole = weight.width / kBf16Lanes * kBf16Lanes;
  int64_t i = 0;
  if (fetches_next) {
    const int64_t ahead = kWeightRows * weight.width;
    for (; i < whole; i += kBf16Lanes) {
#pragma GCC unroll 8
      for (int64_t w = 0; w < kWeightRows; ++w) __builtin_prefetch(weights[w] + ahead + i);
      add_step<kRows>(x + i * kRows, weights, i, ~0U, sums);
    }
  }
  for (; i < whole; i += kBf16Lanes) add_step<kRows>(x + i * kRows, weights, i, ~0U, sums);
  if (i < weight.width) {
    add_step<kRows>(x + i * kRows, weights, i, (1U << (weight.width - i)) - 1, sums);
  }
#pragma GCC unroll 8
  for (int64_t r = 0; r < kRows; ++r) {
    F32x16 vectors[kWeightRows];
#pragma GCC unroll 8
    for (int64_t w = 0; w < kWeightRows; ++w) vectors[w] = (F32x16)sums[r][w];
    const F32x4 totals = sums_of(vectors);
    store_some(out + r * out_stride, totals, weight.count);
  }
}

/// The last `count` rows, which are at most kRows.
template <int64_t kRows>
KVCAL_AVX512 inline void multiply_rest(const uint16_t* x, int64_t count, const WeightTile& weight,
                                       bool fetches_next, float* out, int64_t out_stride) {
  if (count == kRows) {
    multiply_tile<kRows>(x, weight, fetches_next, out, out_stride);
  } else if constexpr (kRows > 1) {
    multiply_rest<kRows - 1>(x, count, weight, fetches_next, out, out_stride);
  }
}

}  // namespace

bool has_bf16_products() {
  static const bool has = __builtin_cpu_supports("avx512bf16") &&
                          __builtin_cpu_supports("avx512bw") && __builtin_cpu_supports("avx512vl");
  return has;
}

void pack_bf16_rows(const uint16_t* x, int64_t count, int64_t width, int64_t padded, uint16_t* to) {
  for (int64_t first = 0; first < count; first += kMostRows) {
    const int64_t rows = std::min(kMostRows, count - first);
    for (int64_t i = 0; i < padded; i += kBf16Lanes) {
      const int64_t numbers = std::min(kBf16Lanes, width - i);
      for (int64_t r = first; r < first + rows; ++r, to += kBf16Lanes) {
        std::copy_n(x + r * width + i, numbers, to);
        std::fill(to + numbers, to + kBf16Lanes, uint16_t{0});
      }
    }
  }
}

KVCAL_AVX512 void multiply_bf16_rows(const Bf16Rows& rows, const uint16_t* weight, int64_t outputs,
                                     float* out, int64_t out_stride) {
  for (int64_t o = 0; o < outputs; o += kWeightRows) {
    const WeightTile tile{weight + o * rows.width, rows.width, std::min(kWeightRows, outputs - o)};
    int64_t r = 0;
    for (; r + kMostRows <= rows.count; r += kMostRows) {
      multiply_tile<kMostRows>(rows.x + r * rows.padded, tile, r == 0, out + r * out_stride + o,
                               out_stride);
    }
    multiply_rest<kMostRows - 1>(rows.x + r * rows.padded, rows.count - r, tile, r == 0,
                                 out + r * out_stride + o, out_stride);
  }
}

}  // namespace kvcal::cpu

#else

#include "kvcal/compress/error.hpp"

namespace kvcal::cpu {

bool has_bf16_products() {
  return false;
}

void pack_bf16_rows(const uint16_t*, int64_t, int64_t, int64_t, uint16_t*) {
  fail(Kind::internal, "built for a processor without products of bf16");
}

void multiply_bf16_rows(const Bf16Rows&, const uint16_t*, int64_t, float*, int64_t) {
  fail(Kind::internal, "built for a processor without products of bf16");
}

}  // namespace kvcal::cpu

#endif
