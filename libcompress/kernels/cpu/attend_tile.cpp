// SPDX-License-Identifier: Apache-2.0
// All sums are f32; bf16 and f16 are widened in registers, or bf16 multiplied in pairs.
#include "kernels/cpu/attend_tile.hpp"

#include <algorithm>
#include <array>
#include <cmath>
#include <cstring>
#include <limits>

#include "kernels/cpu/avx512.hpp"
#include "kernels/cpu/bf16_product.hpp"
#include "kernels/cpu/vectors.hpp"
#include "kvcal/compress/error.hpp"
#include "kvcal/compress/vector_clones.hpp"

namespace kvcal::cpu {
namespace {

/// Entries whose logits are held at once.
constexpr int64_t kTile = 64;
/// Rows that share one load of an entry.
constexpr int kRowBlock = 4;

/// Rows of entries that lie one behind the other.
constexpr auto kInOrder = [] {
  std::array<int32_t, kTile> rows{};
  for (int32_t e = 0; e < kTile; ++e) rows[static_cast<size_t>(e)] = e;
  return rows;
}();

/// Keys or values of up to kTile entries, wherever they are.
template <class T>
struct Tile {
  const T* data;
  const int32_t* rows;
  int64_t head_dim;

  KVCAL_INLINE const T* operator[](int64_t entry) const { return data + rows[entry] * head_dim; }
  KVCAL_INLINE Tile from(int64_t entry) const { return {data, rows + entry, head_dim}; }
};

/// The tile behind the one that is computed with, asked for entry by entry meanwhile: all at once
/// would wait for each other.
template <class T>
struct NextTile {
  Tile<T> keys, values;
  int64_t count = 0;

  /// Of its entries `first` .. first + 3, those that there are.
  KVCAL_INLINE void fetch_four(int64_t first) const {
    constexpr auto kLineNumbers = static_cast<int64_t>(64 / sizeof(T));
    const int64_t end = std::min(first + 4, count);
    for (int64_t entry = first; entry < end; ++entry) {
      const T *key = keys[entry], *value = values[entry];
      for (int64_t i = 0; i < keys.head_dim; i += kLineNumbers) {
        __builtin_prefetch(key + i);
        __builtin_prefetch(value + i);
      }
    }
  }
};

/// Dot products of kRows query rows with kKeys entries: logits[row][entry].
template <int kRows, int kKeys, class T>
KVCAL_INLINE void dots(const float* queries, int64_t padded_dim, const Tile<T>& keys,
                       float* logits) {
  const int64_t head_dim = keys.head_dim;
  F32x16 sums[kRows][4] = {};
  for (int64_t d = 0; d < head_dim; d += kLanes) {
    F32x16 q[kRows];
#pragma GCC unroll 8
    for (int r = 0; r < kRows; ++r) q[r] = load(queries + r * padded_dim + d);
#pragma GCC unroll 8
    for (int e = 0; e < kKeys; ++e) {
      const T* row = keys[e] + d;
      const F32x16 key = d + kLanes <= head_dim ? load(row) : load_some(row, head_dim - d);
#pragma GCC unroll 8
      for (int r = 0; r < kRows; ++r) sums[r][e] += q[r] * key;
    }
  }
#pragma GCC unroll 8
  for (int r = 0; r < kRows; ++r) {
    const F32x4 totals = sums_of(sums[r]);
    std::memcpy(logits + r * kTile, &totals, kKeys * sizeof(float));
  }
}

template <int kRows, class T>
KVCAL_INLINE void tile_logits(const float* queries, int64_t padded_dim, const Tile<T>& keys,
                              int64_t count, const NextTile<T>& next, float* logits) {
  int64_t e = 0;
  for (; e + 4 <= count; e += 4) {
    next.fetch_four(e);
    dots<kRows, 4>(queries, padded_dim, keys.from(e), logits + e);
  }
  for (; e < count; ++e) {
    dots<kRows, 1>(queries, padded_dim, keys.from(e), logits + e);
  }
}

/// output[row] += sum over entries of weights[row][entry] * value[entry].
template <int kRows, class T>
KVCAL_INLINE void add_values(const float* weights, const Tile<T>& values, int64_t count,
                             float* output, int64_t padded_dim) {
  const int64_t head_dim = values.head_dim;
  for (int64_t d = 0; d < head_dim; d += kLanes) {
    const bool is_whole = d + kLanes <= head_dim;
    F32x16 sums[kRows][2] = {};  // two, so that additions overlap
    int64_t e = 0;
    for (; is_whole && e + 2 <= count; e += 2) {
      const F32x16 even = load(values[e] + d), odd = load(values[e + 1] + d);
#pragma GCC unroll 8
      for (int r = 0; r < kRows; ++r) {
        sums[r][0] += weights[r * kTile + e] * even;
        sums[r][1] += weights[r * kTile + e + 1] * odd;
      }
    }
    for (; e < count; ++e) {
      const T* row = values[e] + d;
      const F32x16 value = is_whole ? load(row) : load_some(row, head_dim - d);
#pragma GCC unroll 8
      for (int r = 0; r < kRows; ++r) sums[r][0] += weights[r * kTile + e] * value;
    }
#pragma GCC unroll 8
    for (int r = 0; r < kRows; ++r) {
      float* out = output + r * padded_dim + d;
      store(out, load(out) + sums[r][0] + sums[r][1]);
    }
  }
}

#ifdef KVCAL_AVX512

/// An element of bf16 that is multiplied in pairs.
struct Bf16Pair {
  uint16_t bits;
};
constexpr int64_t kPairLanes = 32;  // bf16 of one vector

/// Adds the products of kParts parts of kRows query rows and kKeys entries.
template <int kRows, int kKeys, int kParts>
KVCAL_AVX512 inline void add_dots(const uint16_t* queries, int64_t head_dim,
                                  const Bf16Pair* const* keys, int64_t d,
                                  __m512 (&sums)[kRows][4]) {
#pragma GCC unroll 4
  for (int p = 0; p < kParts; ++p, d += kPairLanes) {
    __m512bh q[kRows];
#pragma GCC unroll 8
    for (int r = 0; r < kRows; ++r) q[r] = (__m512bh)_mm512_loadu_si512(queries + r * head_dim + d);
#pragma GCC unroll 8
    for (int e = 0; e < kKeys; ++e) {
      const auto key = (__m512bh)_mm512_loadu_si512(keys[e] + d);
#pragma GCC unroll 8
      for (int r = 0; r < kRows; ++r) sums[r][e] = _mm512_dpbf16_ps(sums[r][e], q[r], key);
    }
  }
}

template <int kRows, int kKeys>
KVCAL_AVX512 inline void pair_dots(const uint16_t* queries, const Tile<Bf16Pair>& tile,
                                   float* logits) {
  const int64_t head_dim = tile.head_dim;
  const Bf16Pair* keys[kKeys];
#pragma GCC unroll 8
  for (int e = 0; e < kKeys; ++e) keys[e] = tile[e];
  __m512 sums[kRows][4] = {};
  int64_t d = 0;
  for (; d + 2 * kPairLanes <= head_dim; d += 2 * kPairLanes) {
    add_dots<kRows, kKeys, 2>(queries, head_dim, keys, d, sums);
  }
  if (d < head_dim) add_dots<kRows, kKeys, 1>(queries, head_dim, keys, d, sums);
#pragma GCC unroll 8
  for (int r = 0; r < kRows; ++r) {
    F32x16 vectors[4];
#pragma GCC unroll 4
    for (int e = 0; e < 4; ++e) vectors[e] = (F32x16)sums[r][e];
    const F32x4 totals = sums_of(vectors);
    std::memcpy(logits + r * kTile, &totals, kKeys * sizeof(float));
  }
}

template <int kRows>
KVCAL_AVX512 inline void tile_logits(const uint16_t* queries, int64_t, const Tile<Bf16Pair>& keys,
                                     int64_t count, const NextTile<Bf16Pair>& next, float* logits) {
  int64_t e = 0;
  for (; e + 4 <= count; e += 4) {
    next.fetch_four(e);
    pair_dots<kRows, 4>(queries, keys.from(e), logits + e);
  }
  for (; e < count; ++e) {
    pair_dots<kRows, 1>(queries, keys.from(e), logits + e);
  }
}

/// Weights of a tile as bf16, two entries a word.
template <int kRows>
using WeightPairs = uint32_t[kRows][kTile / 2];

/// Adds numbers d .. d + 32 * kParts - 1 of all entries. Interleaves two entries, so that a product
/// adds up over both. The halves of each group of eight numbers end up in two vectors; they are put
/// in order after the last entry.
template <int kRows, int kParts>
KVCAL_AVX512 inline void add_parts(const WeightPairs<kRows>& pairs, const Tile<Bf16Pair>& values,
                                   int64_t count, int64_t d, float* output) {
  __m512 sums[kRows][kParts][2] = {};
  for (int64_t e = 0; e < count; e += 2) {
    const bool is_pair = e + 1 < count;
    const Bf16Pair* even_row = values[e] + d;
    const Bf16Pair* odd_row = is_pair ? values[e + 1] + d : even_row;
    const __mmask16 odd_mask = is_pair ? 0xFFFF : 0;
#pragma GCC unroll 4
    for (int p = 0; p < kParts; ++p) {
      const __m512i even = _mm512_loadu_si512(even_row + p * kPairLanes);
      const __m512i odd = _mm512_maskz_loadu_epi32(odd_mask, odd_row + p * kPairLanes);
      const auto low = (__m512bh)_mm512_unpacklo_epi16(even, odd);
      const auto high = (__m512bh)_mm512_unpackhi_epi16(even, odd);
#pragma GCC unroll 8
      for (int r = 0; r < kRows; ++r) {
        const auto weight = (__m512bh)_mm512_set1_epi32(static_cast<int>(pairs[r][e / 2]));
        sums[r][p][0] = _mm512_dpbf16_ps(sums[r][p][0], low, weight);
        sums[r][p][1] = _mm512_dpbf16_ps(sums[r][p][1], high, weight);
      }
    }
  }
  const __m512i first = _mm512_setr_epi32(0, 1, 2, 3, 16, 17, 18, 19, 4, 5, 6, 7, 20, 21, 22, 23);
  const __m512i second = _mm512_add_epi32(first, _mm512_set1_epi32(8));
#pragma GCC unroll 8
  for (int r = 0; r < kRows; ++r) {
#pragma GCC unroll 4
    for (int p = 0; p < kParts; ++p) {
      float* out = output + r * values.head_dim + d + p * kPairLanes;
      const auto head = (F32x16)_mm512_permutex2var_ps(sums[r][p][0], first, sums[r][p][1]);
      const auto rest = (F32x16)_mm512_permutex2var_ps(sums[r][p][0], second, sums[r][p][1]);
      store(out, load(out) + head);
      store(out + kLanes, load(out + kLanes) + rest);
    }
  }
}

template <int kRows>
KVCAL_AVX512 inline void add_values(const float* weights, const Tile<Bf16Pair>& values,
                                    int64_t count, float* output, int64_t) {
  alignas(64) WeightPairs<kRows> pairs;
#pragma GCC unroll 8
  for (int r = 0; r < kRows; ++r) {
    for (int64_t e = 0; e < kTile; e += kPairLanes) {
      const auto low = (__m512)load(weights + r * kTile + e);
      const auto high = (__m512)load(weights + r * kTile + e + kLanes);
      _mm512_store_si512(pairs[r] + e / 2, (__m512i)_mm512_cvtne2ps_pbh(high, low));
    }
  }
  int64_t d = 0;
  for (; d + 2 * kPairLanes <= values.head_dim; d += 2 * kPairLanes) {
    add_parts<kRows, 2>(pairs, values, count, d, output);
  }
  if (d < values.head_dim) add_parts<kRows, 1>(pairs, values, count, d, output);
}

#endif

/// Turns the logits of one row into weights exp(logit - maximum) and rescales what it gathered
/// before.
KVCAL_INLINE void take_softmax(float* logits, int64_t visible, Rows& rows, int64_t row) {
  const float before = rows.maximum(row);
  std::fill(logits + visible, logits + kTile, -std::numeric_limits<float>::infinity());
  F32x16 largest = load(logits);
  for (int64_t e = kLanes; e < kTile; e += kLanes) {
    const F32x16 next = load(logits + e);
    largest = largest > next ? largest : next;
  }
  const float maximum = std::max(before, largest_of(largest));
  if (maximum == -std::numeric_limits<float>::infinity()) {
    std::fill(logits, logits + kTile, 0.0F);  // nothing visible, or every bias is -inf
    return;
  }
  F32x16 sums = {};
  for (int64_t e = 0; e < kTile; e += kLanes) {
    const F32x16 weights = exp_negative(load(logits + e) - maximum);
    store(logits + e, weights);
    sums += weights;
  }
  float& sum = rows.sum(row);
  if (maximum > before) {
    const float decay = std::exp(before - maximum);
    float* output = rows.output(row);
    for (int64_t d = 0; d < rows.padded_dim(); d += kLanes) {
      store(output + d, load(output + d) * decay);
    }
    sum *= decay;
    rows.maximum(row) = maximum;
  }
  sum += sum_of(sums);
}

/// Up to kTile entries from `first` on.
template <class T>
KVCAL_INLINE Tile<T> tile_of(const void* data, const Entries& entries, int64_t first,
                             int64_t head_dim) {
  const auto* numbers = static_cast<const T*>(data);
  if (entries.rows != nullptr) return {numbers, entries.rows + first, head_dim};
  return {numbers + first * head_dim, kInOrder.data(), head_dim};
}

template <int kRows, class T, class Query>
KVCAL_INLINE void attend_block(const Entries& entries, const Query* queries, int64_t first,
                               int64_t count, Rows& rows, int64_t row) {
  const auto keys = tile_of<T>(entries.keys, entries, first, rows.head_dim());
  const auto values = tile_of<T>(entries.values, entries, first, rows.head_dim());
  alignas(64) float weights[kRows * kTile];
  int64_t visible[kRows], most = 0;
  for (int r = 0; r < kRows; ++r) {
    visible[r] = std::clamp<int64_t>(rows.visible(row + r) - first, 0, count);
    most = std::max(most, visible[r]);
  }
  if (most == 0) return;
  const int64_t behind = first + count;
  const NextTile<T> next{tile_of<T>(entries.keys, entries, behind, rows.head_dim()),
                         tile_of<T>(entries.values, entries, behind, rows.head_dim()),
                         row == 0 ? std::min(kTile, entries.count - behind) : 0};
  tile_logits<kRows>(queries + row * rows.padded_dim(), rows.padded_dim(), keys, most, next,
                     weights);
  for (int r = 0; r < kRows; ++r) {
    float* logits = weights + r * kTile;
    for (int64_t e = 0; e < kTile; e += kLanes) store(logits + e, load(logits + e) * rows.scale);
    for (int64_t e = 0; entries.bias != nullptr && e < visible[r]; ++e)
      logits[e] += entries.bias[first + e];
    take_softmax(logits, visible[r], rows, row + r);
  }
  add_values<kRows>(weights, values, most, rows.output(row), rows.padded_dim());
}

/// @param queries  rows of padded_dim numbers
template <class T, class Query>
KVCAL_INLINE void attend(const Entries& entries, const Query* queries, Rows& rows) {
  for (int64_t first = 0; first < entries.count; first += kTile) {
    const int64_t count = std::min(kTile, entries.count - first);
    int64_t row = 0;
    for (; row + kRowBlock <= rows.count(); row += kRowBlock) {
      attend_block<kRowBlock, T>(entries, queries, first, count, rows, row);
    }
    const int64_t left = rows.count() - row;
    if (left == 3) attend_block<3, T>(entries, queries, first, count, rows, row);
    if (left == 2) attend_block<2, T>(entries, queries, first, count, rows, row);
    if (left == 1) attend_block<1, T>(entries, queries, first, count, rows, row);
  }
}

}  // namespace

Rows::Rows(int64_t heads, int64_t tokens, int64_t head_dim)
    : count_(heads * tokens),
      tokens_(tokens),
      head_dim_(head_dim),
      padded_dim_((head_dim + kLanes - 1) / kLanes * kLanes),
      numbers_(static_cast<size_t>(2 * count_ * (padded_dim_ + 1))) {
  std::fill_n(scalars(), count_, -std::numeric_limits<float>::infinity());
}

const uint16_t* Rows::bf16_queries() {
  if (words_.empty()) {
    words_.resize(static_cast<size_t>(count_ * padded_dim_));
    for (size_t i = 0; i < words_.size(); ++i) {  // exact
      words_[i] = static_cast<uint16_t>(bits_as<uint32_t>(numbers_[i]) >> 16);
    }
  }
  return words_.data();
}

KVCAL_CLONES void attend_f32(const Entries& entries, Rows& rows) {
  attend<float>(entries, rows.queries(0), rows);
}
KVCAL_CLONES void attend_bf16(const Entries& entries, Rows& rows) {
  attend<Bf16>(entries, rows.queries(0), rows);
}
KVCAL_CLONES void attend_f16(const Entries& entries, Rows& rows) {
  attend<F16>(entries, rows.queries(0), rows);
}

#ifdef KVCAL_AVX512

KVCAL_AVX512 void attend_bf16_pairs(const Entries& entries, Rows& rows) {
  attend<Bf16Pair>(entries, rows.bf16_queries(), rows);
}

#else

void attend_bf16_pairs(const Entries&, Rows&) {
  fail(Kind::internal, "built for a processor without products of bf16");
}

#endif

}  // namespace kvcal::cpu
