// SPDX-License-Identifier: Apache-2.0
#include "kernels/cpu/causal_tile.hpp"

#include "kernels/cpu/avx512.hpp"

#ifdef KVCAL_AVX512

#include <cpuid.h>

#include <algorithm>
#include <cmath>
#include <limits>

#include "kernels/cpu/bf16_product.hpp"
#include "kernels/cpu/vectors.hpp"

namespace kvcal::cpu {
namespace {

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
KVCAL_AVX512 inline void multiply_tile(const uint32_t* rows, int64_t row_stride,
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

/// output[row] = output[row] * decay[row] + the row's weights times one block of values.
template <class Words>
KVCAL_AVX512 inline void add_values(const uint32_t* weights, const float* decay,
                                    const uint32_t* values, int64_t head_dim, float* output) {
  constexpr int64_t kWeightWords = kCausalKeys / Words::kNumbers;
  for (int64_t d = 0; d < head_dim; d += kCausalKeys) {
    F32x16 sums[kTileRows][kTileVectors];
#pragma GCC unroll 8
    for (int64_t r = 0; r < kTileRows; ++r) {
#pragma GCC unroll 8
      for (int64_t v = 0; v < kTileVectors; ++v) {
        sums[r][v] = load(output + r * head_dim + d + v * kLanes) * decay[r];
      }
    }
    multiply_tile<Words>(weights, kWeightWords, values + d, head_dim, kWeightWords, sums);
#pragma GCC unroll 8
    for (int64_t r = 0; r < kTileRows; ++r) {
#pragma GCC unroll 8
      for (int64_t v = 0; v < kTileVectors; ++v) {
        store(output + r * head_dim + d + v * kLanes, sums[r][v]);
      }
    }
  }
}

/// Adds one block of entries to the rows that see some of it.
template <class Words>
KVCAL_AVX512 inline void attend_block(const PackedEntries& entries, const CausalRows& rows,
                                      int64_t block, Softmax* softmax) {
  constexpr int64_t kWeightWords = kCausalKeys / Words::kNumbers;
  const int64_t head_words = entries.head_dim / Words::kNumbers;
  const uint32_t* keys = entries.keys + block * head_words * kCausalKeys;
  const uint32_t* values = entries.values + block * kWeightWords * entries.head_dim;
  alignas(64) uint32_t weights[kTileRows * kWeightWords];
  for (int64_t first = 0; first < rows.count; first += kTileRows) {
    const int64_t seen_by_first = rows.first_visible + first - block * kCausalKeys;
    if (seen_by_first + kTileRows <= 1) continue;
    F32x16 logits[kTileRows][kTileVectors] = {};
    multiply_tile<Words>(rows.queries + first * head_words, head_words, keys, kCausalKeys,
                         head_words, logits);
    float decay[kTileRows];
    for (int64_t r = 0; r < kTileRows; ++r) {
      decay[r] = weigh<Words>(logits[r], rows.scale, seen_by_first + r, softmax[first + r],
                              weights + r * kWeightWords);
    }
    add_values<Words>(weights, decay, values, entries.head_dim,
                      rows.output + first * entries.head_dim);
  }
}

template <class Words>
KVCAL_AVX512 inline void attend(const PackedEntries& entries, const CausalRows& rows) {
  Softmax softmax[kCausalRows];
  std::fill_n(rows.output, kCausalRows * entries.head_dim, 0.0F);
  const int64_t seen = rows.first_visible + rows.count - 1;
  for (int64_t block = 0; block * kCausalKeys < seen; ++block) {
    attend_block<Words>(entries, rows, block, softmax);
  }
  for (int64_t r = 0; r < rows.count; ++r) {
    for (int64_t d = 0; d < entries.head_dim; ++d) {
      rows.output[r * entries.head_dim + d] /= softmax[r].sum;
    }
  }
}

}  // namespace

bool has_causal_f32() {
  static const bool has = __builtin_cpu_supports("avx512f") && __builtin_cpu_supports("avx512bw") &&
                          __builtin_cpu_supports("avx512vl") && __builtin_cpu_supports("avx512dq");
  return has;
}

bool has_causal_bf16() {
  return has_causal_f32() && has_bf16_products();
}

bool has_amx_bf16() {
  // Once: in a virtual machine the instruction is slow, and every layer asks.
  static const bool has = [] {
    unsigned a = 0, b = 0, c = 0, d = 0;
    return __get_cpuid_count(7, 0, &a, &b, &c, &d) != 0 && (d >> 22 & 1) != 0;
  }();
  return has;
}

KVCAL_AVX512 void attend_causal_f32(const PackedEntries& entries, const CausalRows& rows) {
  attend<F32Words>(entries, rows);
}

KVCAL_AVX512 void attend_causal_bf16(const PackedEntries& entries, const CausalRows& rows) {
  attend<Bf16Words>(entries, rows);
}

}  // namespace kvcal::cpu

#else

#include "kvcal/compress/error.hpp"

namespace kvcal::cpu {

bool has_causal_f32() {
  return false;
}

bool has_causal_bf16() {
  return false;
}

bool has_amx_bf16() {
  return false;
}

void attend_causal_f32(const PackedEntries&, const CausalRows&) {
  fail(Kind::internal, "built for a processor without AVX-512");
}

void attend_causal_bf16(const PackedEntries&, const CausalRows&) {
  fail(Kind::internal, "built for a processor without products of bf16");
}

}  // namespace kvcal::cpu

#endif
