// SPDX-License-Identifier: Apache-2.0
// What the inner parts of prefill attention and of its column sums share: a tile of logits that
// fills the registers, and the running softmax of a row. Only for files of AVX-512 functions, into
// which all of it is inlined.
#pragma once

#include <algorithm>
#include <cmath>
#include <cstdint>
#include <limits>

#include "kernels/cpu/avx512.hpp"
#include "kernels/cpu/causal_tile.hpp"
#include "kernels/cpu/vectors.hpp"

#ifdef KVCAL_AVX512

namespace kvcal::cpu {

/// With kTileVectors vectors each, their sums fill the registers but for eight.
constexpr int64_t kTileRows = 6;
constexpr int64_t kTileVectors = kCausalKeys / kLanes;
static_assert(kCausalRows % kTileRows == 0);

constexpr float kLowest = -std::numeric_limits<float>::infinity();

/// What the element types do differently: the product, and how weights become words.
struct F32Words {
  static constexpr int64_t kNumbers = 1;  // of a word
  using Vector = F32x16;
  KVCAL_AVX512 static Vector load_words(const uint32_t* from) {
    return load(reinterpret_cast<const float*>(from));
  }
  KVCAL_AVX512 static F32x16 add_product(const F32x16& sum, uint32_t word, const Vector& vector) {
    return sum + bits_as<float>(word) * vector;
  }
  KVCAL_AVX512 static void pack(const F32x16* weights, uint32_t* words) {
    for (int64_t v = 0; v < kTileVectors; ++v) {
      store(reinterpret_cast<float*>(words) + v * kLanes, weights[v]);
    }
  }
};

struct Bf16Words {
  static constexpr int64_t kNumbers = 2;
  using Vector = __m512i;
  KVCAL_AVX512 static Vector load_words(const uint32_t* from) { return _mm512_loadu_si512(from); }
  KVCAL_AVX512 static F32x16 add_product(const F32x16& sum, uint32_t word, const Vector& vector) {
    const auto both = (__m512bh)_mm512_set1_epi32(static_cast<int>(word));
    return (F32x16)_mm512_dpbf16_ps((__m512)sum, both, (__m512bh)vector);
  }
  KVCAL_AVX512 static void pack(const F32x16* weights, uint32_t* words) {
    for (int64_t v = 0; v < kTileVectors; v += 2) {
      const auto narrow = _mm512_cvtne2ps_pbh((__m512)weights[v + 1], (__m512)weights[v]);
      _mm512_storeu_si512(words + v / 2 * kLanes, (__m512i)narrow);
    }
  }
};

/// sums[row][v] += products of `count` words of each row with as many word vectors.
/// @param rows     kTileRows rows, `row_stride` words apart
/// @param columns  [count], `column_stride` words apart: kCausalKeys words each
template <class Words>
KVCAL_AVX512 inline void multiply_words(const uint32_t* rows, int64_t row_stride,
                                        const uint32_t* columns, int64_t column_stride,
                                        int64_t count, F32x16 (&sums)[kTileRows][kTileVectors]) {
  for (int64_t i = 0; i < count; ++i) {
    typename Words::Vector column[kTileVectors];
#pragma GCC unroll 8
    for (int64_t v = 0; v < kTileVectors; ++v) {
      column[v] = Words::load_words(columns + i * column_stride + v * kLanes);
    }
#pragma GCC unroll 8
    for (int64_t r = 0; r < kTileRows; ++r) {
      const uint32_t word = rows[r * row_stride + i];
#pragma GCC unroll 8
      for (int64_t v = 0; v < kTileVectors; ++v) {
        sums[r][v] = Words::add_product(sums[r][v], word, column[v]);
      }
    }
  }
}

/// The running softmax of a row.
struct Softmax {
  float maximum = kLowest, sum = 0;
};

/// Turns a row's logits into words of exp(logit - maximum), those from `visible` on into zero.
/// @return  what the row's output so far is to be multiplied by
template <class Words>
KVCAL_AVX512 inline float weigh(const F32x16* logits, float scale, int64_t visible,
                                Softmax& softmax, uint32_t* words) {
  F32x16 weights[kTileVectors];
  F32x16 largest = F32x16{} + kLowest;
#pragma GCC unroll 8
  for (int64_t v = 0; v < kTileVectors; ++v) {
    weights[v] = logits[v] * scale;
    if (visible < (v + 1) * kLanes) {
      for (int64_t lane = std::max<int64_t>(0, visible - v * kLanes); lane < kLanes; ++lane) {
        weights[v][lane] = kLowest;
      }
    }
    largest = largest > weights[v] ? largest : weights[v];
  }
  const float maximum = std::max(softmax.maximum, largest_of(largest));
  // A first block holds at least one visible entry, so that the maximum is a number.
  const float decay = std::exp(softmax.maximum - maximum);
  F32x16 total = {};
#pragma GCC unroll 8
  for (int64_t v = 0; v < kTileVectors; ++v) {
    weights[v] = exp_negative(weights[v] - maximum);
    total += weights[v];
  }
  softmax.sum = softmax.sum * decay + sum_of(total);
  softmax.maximum = maximum;
  Words::pack(weights, words);
  return decay;
}

}  // namespace kvcal::cpu

#endif
