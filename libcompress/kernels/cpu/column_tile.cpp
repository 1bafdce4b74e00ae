// SPDX-License-Identifier: Apache-2.0
#include "kernels/cpu/column_tile.hpp"

#include "kernels/cpu/avx512.hpp"

#ifdef KVCAL_AVX512

#include "kernels/cpu/causal_words.hpp"

namespace kvcal::cpu {
namespace {

/// What a pass over the keys leaves behind: exp(logit - the row's maximum up to that block).
struct Weighed {
  float* weights;  // [blocks, kCausalRows, kCausalKeys]
  float* maxima;   // [blocks, kCausalRows]

  Weighed(float* room, int64_t blocks)
      : weights(room), maxima(room + blocks * kCausalRows * kCausalKeys) {}

  float* weights_of(int64_t block, int64_t row) const {
    return weights + (block * kCausalRows + row) * kCausalKeys;
  }
  float* maxima_of(int64_t block) const { return maxima + block * kCausalRows; }
};

/// First row of the block that sees some of these keys; a row is followed by rows that see more.
KVCAL_INLINE int64_t first_row_of(const CausalRows& rows, int64_t block) {
  return std::max<int64_t>(0, block * kCausalKeys + 1 - rows.first_visible);
}

template <class Words>
KVCAL_AVX512 inline void weigh_block(const PackedEntries& entries, const CausalRows& rows,
                                     int64_t block, Softmax* softmax, const Weighed& weighed) {
  const int64_t head_words = entries.head_dim / Words::kNumbers;
  const uint32_t* keys = entries.keys + block * head_words * kCausalKeys;
  const int64_t seen_before = rows.first_visible - block * kCausalKeys;
  for (int64_t first = first_row_of(rows, block) / kTileRows * kTileRows; first < rows.count;
       first += kTileRows) {
    F32x16 logits[kTileRows][kTileVectors] = {};
    multiply_words<Words>(rows.queries + first * head_words, head_words, keys, kCausalKeys,
                          head_words, logits);
    for (int64_t row = first; row < first + kTileRows; ++row) {
      auto* weights = reinterpret_cast<uint32_t*>(weighed.weights_of(block, row));
      weigh<F32Words>(logits[row - first], rows.scale, seen_before + row, softmax[row], weights);
      weighed.maxima_of(block)[row] = softmax[row].maximum;
    }
  }
}

struct Add {
  KVCAL_INLINE static F32x16 join(const F32x16& total, const F32x16& share) {
    return total + share;
  }
};

struct Largest {
  KVCAL_INLINE static F32x16 join(const F32x16& total, const F32x16& share) {
    return total > share ? total : share;
  }
};

/// What each row's weights are multiplied by to be shares of its whole softmax.
using RowFactors = float[kCausalRows];

template <class Join>
KVCAL_AVX512 inline void join_rows(const float* weights, const RowFactors& factors, int64_t first,
                                   int64_t count, float* to) {
  F32x16 total[kTileVectors];
  for (int64_t v = 0; v < kTileVectors; ++v) total[v] = load(to + v * kLanes);
  for (int64_t row = first; row < count; ++row) {
#pragma GCC unroll 8
    for (int64_t v = 0; v < kTileVectors; ++v) {
      total[v] =
          Join::join(total[v], factors[row] * load(weights + row * kCausalKeys + v * kLanes));
    }
  }
  for (int64_t v = 0; v < kTileVectors; ++v) store(to + v * kLanes, total[v]);
}

KVCAL_AVX512 inline void take_block(const CausalRows& rows, int64_t block, const Softmax* softmax,
                                    const Weighed& weighed, const Columns& columns) {
  const int64_t first = first_row_of(rows, block), column = block * kCausalKeys;
  const float* weights = weighed.weights_of(block, 0);
  RowFactors factors;
  for (int64_t row = first; row < rows.count; ++row) {
    const float rise = weighed.maxima_of(block)[row] - softmax[row].maximum;
    factors[row] = (rise == 0 ? 1 : std::exp(rise)) / softmax[row].sum;
  }
  if (columns.sums != nullptr) {
    join_rows<Add>(weights, factors, first, rows.count, columns.sums + column);
  }
  if (columns.maxima != nullptr) {
    join_rows<Largest>(weights, factors, first, rows.count, columns.maxima + column);
  }
  if (columns.weighted_maxima != nullptr) {
    for (int64_t row = first; row < rows.count; ++row) factors[row] *= columns.row_weights[row];
    join_rows<Largest>(weights, factors, first, rows.count, columns.weighted_maxima + column);
  }
}

template <class Words>
KVCAL_AVX512 inline void take_columns(const PackedEntries& entries, const CausalRows& rows,
                                      float* room, const Columns& columns) {
  Softmax softmax[kCausalRows];
  const int64_t seen = rows.first_visible + rows.count - 1;
  const int64_t blocks = (seen + kCausalKeys - 1) / kCausalKeys;
  const Weighed weighed(room, blocks);
  for (int64_t block = 0; block < blocks; ++block) {
    weigh_block<Words>(entries, rows, block, softmax, weighed);
  }
  for (int64_t block = 0; block < blocks; ++block) {
    take_block(rows, block, softmax, weighed, columns);
  }
}

}  // namespace

KVCAL_AVX512 void take_columns_f32(const PackedEntries& entries, const CausalRows& rows,
                                   float* room, const Columns& columns) {
  take_columns<F32Words>(entries, rows, room, columns);
}

KVCAL_AVX512 void take_columns_bf16(const PackedEntries& entries, const CausalRows& rows,
                                    float* room, const Columns& columns) {
  take_columns<Bf16Words>(entries, rows, room, columns);
}

}  // namespace kvcal::cpu

#else

#include "kvcal/compress/error.hpp"

namespace kvcal::cpu {

void take_columns_f32(const PackedEntries&, const CausalRows&, float*, const Columns&) {
  fail(Kind::internal, "built for a processor without AVX-512");
}

void take_columns_bf16(const PackedEntries&, const CausalRows&, float*, const Columns&) {
  fail(Kind::internal, "built for a processor without products of bf16");
}

}  // namespace kvcal::cpu

#endif
