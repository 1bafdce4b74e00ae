// SPDX-License-Identifier: Apache-2.0
#include "kernels/cpu/row_product.hpp"

#include <algorithm>
#include <vector>

#include "kernels/cpu/vectors.hpp"

namespace kvcal::cpu {
namespace {

/// One weight row as f32, zeros behind it. Asks for the row that comes kWeightRows later meanwhile,
/// or the products would wait for memory between two groups of rows.
template <class T>
KVCAL_INLINE void widen(const T* from, int64_t width, float* to) {
  int64_t i = 0;
  for (; i + kLanes <= width; i += kLanes) {
    store(to + i, load(from + i));
    __builtin_prefetch(from + kWeightRows * width + i);
  }
  if (i < width) store(to + i, load_some(from + i, width - i));
}

/// Sums of kRows rows of x with four weight rows.
template <int64_t kRows>
KVCAL_INLINE void multiply_tile(const float* x, const float* weights, int64_t padded, float* out,
                                int64_t out_stride, int64_t outputs) {
  // All loops over it are unrolled, or it would live in memory instead of registers.
  F32x16 sums[kRows][kWeightRows] = {};
  for (int64_t i = 0; i < padded; i += kLanes) {
    F32x16 part[kWeightRows];
    for (int64_t w = 0; w < kWeightRows; ++w) part[w] = load(weights + w * padded + i);
#pragma GCC unroll 8
    for (int64_t r = 0; r < kRows; ++r) {
      const F32x16 own = load(x + r * padded + i);
#pragma GCC unroll 8
      for (int64_t w = 0; w < kWeightRows; ++w) sums[r][w] += own * part[w];
    }
  }
#pragma GCC unroll 8
  for (int64_t r = 0; r < kRows; ++r) {
    const F32x4 totals = sums_of(sums[r]);
    store_some(out + r * out_stride, totals, outputs);
  }
}

KVCAL_INLINE void multiply_all_rows(const ProductRows& rows, const float* weights, float* out,
                                    int64_t out_stride, int64_t outputs) {
  int64_t r = 0;
  for (; r + kMostRows <= rows.count; r += kMostRows) {
    multiply_tile<kMostRows>(rows.x + r * rows.padded, weights, rows.padded, out + r * out_stride,
                             out_stride, outputs);
  }
  for (; r + 2 <= rows.count; r += 2) {
    multiply_tile<2>(rows.x + r * rows.padded, weights, rows.padded, out + r * out_stride,
                     out_stride, outputs);
  }
  if (r < rows.count) {
    multiply_tile<1>(rows.x + r * rows.padded, weights, rows.padded, out + r * out_stride,
                     out_stride, outputs);
  }
}

/// Four weight rows at a time are widened into `scratch`, [kWeightRows, padded]: each weight is
/// read from memory once.
template <class T>
KVCAL_INLINE void multiply(const ProductRows& rows, const T* weight, int64_t outputs, float* out,
                           int64_t out_stride, float* scratch) {
  for (int64_t o = 0; o < outputs; o += kWeightRows) {
    const int64_t count = std::min(kWeightRows, outputs - o);
    for (int64_t w = 0; w < count; ++w) {
      widen(weight + (o + w) * rows.width, rows.width, scratch + w * rows.padded);
    }
    multiply_all_rows(rows, scratch, out + o, out_stride, count);
  }
}

KVCAL_CLONES void multiply_f32(const ProductRows& rows, const float* weight, int64_t outputs,
                               float* out, int64_t out_stride, float* scratch) {
  multiply(rows, weight, outputs, out, out_stride, scratch);
}
KVCAL_CLONES void multiply_bf16(const ProductRows& rows, const Bf16* weight, int64_t outputs,
                                float* out, int64_t out_stride, float* scratch) {
  multiply(rows, weight, outputs, out, out_stride, scratch);
}
KVCAL_CLONES void multiply_f16(const ProductRows& rows, const F16* weight, int64_t outputs,
                               float* out, int64_t out_stride, float* scratch) {
  multiply(rows, weight, outputs, out, out_stride, scratch);
}

}  // namespace

void multiply_rows(const ProductRows& rows, const void* weight, WeightType type, int64_t outputs,
                   float* out, int64_t out_stride) {
  std::vector<float> scratch(static_cast<size_t>(kWeightRows * rows.padded));
  if (type == WeightType::f32) {
    multiply_f32(rows, static_cast<const float*>(weight), outputs, out, out_stride, scratch.data());
  } else if (type == WeightType::bf16) {
    multiply_bf16(rows, static_cast<const Bf16*>(weight), outputs, out, out_stride, scratch.data());
  } else {
    multiply_f16(rows, static_cast<const F16*>(weight), outputs, out, out_stride, scratch.data());
  }
}

}  // namespace kvcal::cpu
