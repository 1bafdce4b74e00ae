// SPDX-License-Identifier: Apache-2.0
// All sums are f32; bf16 and f16 are widened in registers.
#include "kernels/cpu/attend_tile.hpp"

#include <algorithm>
#include <cmath>
#include <cstring>
#include <limits>

#include "kernels/cpu/vectors.hpp"
#include "kvcal/compress/vector_clones.hpp"

namespace kvcal::cpu {
namespace {

/// Entries whose logits are held at once.
constexpr int64_t kTile = 64;
/// Rows that share one load of an entry.
constexpr int kRowBlock = 4;

/// Dot products of kRows query rows with kKeys entries: logits[row][entry].
template <int kRows, int kKeys, class T>
KVCAL_INLINE void dots(const float* queries, int64_t padded_dim, const T* keys, int64_t head_dim,
                       float* logits) {
  F32x16 sums[kRows][4] = {};
  for (int64_t d = 0; d < head_dim; d += kLanes) {
    F32x16 q[kRows];
#pragma GCC unroll 8
    for (int r = 0; r < kRows; ++r) q[r] = load(queries + r * padded_dim + d);
#pragma GCC unroll 8
    for (int e = 0; e < kKeys; ++e) {
      const T* row = keys + e * head_dim + d;
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
KVCAL_INLINE void tile_logits(const float* queries, int64_t padded_dim, const T* keys,
                              int64_t head_dim, int64_t count, float* logits) {
  int64_t e = 0;
  for (; e + 4 <= count; e += 4) {
    dots<kRows, 4>(queries, padded_dim, keys + e * head_dim, head_dim, logits + e);
  }
  for (; e < count; ++e) {
    dots<kRows, 1>(queries, padded_dim, keys + e * head_dim, head_dim, logits + e);
  }
}

/// output[row] += sum over entries of weights[row][entry] * value[entry].
template <int kRows, class T>
KVCAL_INLINE void add_values(const float* weights, const T* values, int64_t head_dim, int64_t count,
                             float* output, int64_t padded_dim) {
  for (int64_t d = 0; d < head_dim; d += kLanes) {
    const bool is_whole = d + kLanes <= head_dim;
    F32x16 sums[kRows][2] = {};  // two, so that additions overlap
    int64_t e = 0;
    for (; is_whole && e + 2 <= count; e += 2) {
      const F32x16 even = load(values + e * head_dim + d),
                   odd = load(values + (e + 1) * head_dim + d);
#pragma GCC unroll 8
      for (int r = 0; r < kRows; ++r) {
        sums[r][0] += weights[r * kTile + e] * even;
        sums[r][1] += weights[r * kTile + e + 1] * odd;
      }
    }
    for (; e < count; ++e) {
      const T* row = values + e * head_dim + d;
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

/// Turns the logits of one row into weights exp(logit - maximum) and rescales what it gathered
/// before.
KVCAL_INLINE void take_softmax(float* logits, int64_t visible, Rows& rows, int64_t row) {
  const float before = rows.maximum[static_cast<size_t>(row)];
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
  float& sum = rows.sum[static_cast<size_t>(row)];
  if (maximum > before) {
    const float decay = std::exp(before - maximum);
    float* output = rows.output.data() + row * rows.padded_dim;
    for (int64_t d = 0; d < rows.padded_dim; d += kLanes)
      store(output + d, load(output + d) * decay);
    sum *= decay;
    rows.maximum[static_cast<size_t>(row)] = maximum;
  }
  sum += sum_of(sums);
}

template <int kRows, class T>
KVCAL_INLINE void attend_block(const Entries& entries, int64_t first, int64_t count, Rows& rows,
                               int64_t row) {
  const auto* keys = static_cast<const T*>(entries.keys) + first * rows.head_dim;
  const auto* values = static_cast<const T*>(entries.values) + first * rows.head_dim;
  alignas(64) float weights[kRows * kTile];
  int64_t visible[kRows], most = 0;
  for (int r = 0; r < kRows; ++r) {
    visible[r] = std::clamp<int64_t>(rows.visible[static_cast<size_t>(row + r)] - first, 0, count);
    most = std::max(most, visible[r]);
  }
  if (most == 0) return;
  tile_logits<kRows>(rows.queries.data() + row * rows.padded_dim, rows.padded_dim, keys,
                     rows.head_dim, most, weights);
  for (int r = 0; r < kRows; ++r) {
    float* logits = weights + r * kTile;
    for (int64_t e = 0; entries.bias != nullptr && e < visible[r]; ++e)
      logits[e] += entries.bias[first + e];
    take_softmax(logits, visible[r], rows, row + r);
  }
  add_values<kRows>(weights, values, rows.head_dim, most,
                    rows.output.data() + row * rows.padded_dim, rows.padded_dim);
}

template <class T>
KVCAL_INLINE void attend(const Entries& entries, Rows& rows) {
  for (int64_t first = 0; first < entries.count; first += kTile) {
    const int64_t count = std::min(kTile, entries.count - first);
    int64_t row = 0;
    for (; row + kRowBlock <= rows.count; row += kRowBlock) {
      attend_block<kRowBlock, T>(entries, first, count, rows, row);
    }
    if (rows.count - row == 3) attend_block<3, T>(entries, first, count, rows, row);
    if (rows.count - row == 2) attend_block<2, T>(entries, first, count, rows, row);
    if (rows.count - row == 1) attend_block<1, T>(entries, first, count, rows, row);
  }
}

}  // namespace

Rows::Rows(int64_t count_, int64_t head_dim_)
    : count(count_),
      head_dim(head_dim_),
      padded_dim((head_dim_ + kLanes - 1) / kLanes * kLanes),
      queries(static_cast<size_t>(count * padded_dim)),
      output(static_cast<size_t>(count * padded_dim)),
      maximum(static_cast<size_t>(count), -std::numeric_limits<float>::infinity()),
      sum(static_cast<size_t>(count)),
      visible(static_cast<size_t>(count)) {}

KVCAL_CLONES void attend_f32(const Entries& entries, Rows& rows) {
  attend<float>(entries, rows);
}
KVCAL_CLONES void attend_bf16(const Entries& entries, Rows& rows) {
  attend<Bf16>(entries, rows);
}
KVCAL_CLONES void attend_f16(const Entries& entries, Rows& rows) {
  attend<F16>(entries, rows);
}

}  // namespace kvcal::cpu
