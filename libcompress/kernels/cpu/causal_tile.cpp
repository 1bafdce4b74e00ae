// SPDX-License-Identifier: Apache-2.0
#include "kernels/cpu/causal_tile.hpp"

#include "kernels/cpu/avx512.hpp"

#ifdef KVCAL_AVX512

#include <cpuid.h>

#include <algorithm>

#include "kernels/cpu/bf16_product.hpp"
#include "kernels/cpu/causal_words.hpp"

namespace kvcal::cpu {
namespace {

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
    multiply_words<Words>(weights, kWeightWords, values + d, head_dim, kWeightWords, sums);
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
    multiply_words<Words>(rows.queries + first * head_words, head_words, keys, kCausalKeys,
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
