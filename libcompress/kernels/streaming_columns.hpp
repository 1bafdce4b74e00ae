// SPDX-License-Identifier: Apache-2.0
// Column sums of a causal softmax without its rows: first each row's maximum and sum, then each
// column over the rows that see it, in order, so that the same bytes come out on any device size.
// And the pooling of such sums. The part of the CUDA kernels that a test on the CPU can check; no
// Torch headers: nvcc reads this file.
#pragma once

#include <cstdint>

#include "kernels/running_softmax.hpp"

namespace kvcal {

/// Query row r of a chunk behind `past` tokens sees columns 0 .. past + r.
KVCAL_HOST_DEVICE inline int64_t columns_of_row(int64_t row, int64_t past) {
  return past + row + 1;
}
KVCAL_HOST_DEVICE inline int64_t first_row_of_column(int64_t column, int64_t past) {
  return column <= past ? 0 : column - past;
}

/// Columns first, first + step, .. below `end` of one row. @param logit  of a column
template <class Logit>
KVCAL_HOST_DEVICE RunningSoftmax softmax_of_row(int64_t first, int64_t end, int64_t step,
                                                const Logit& logit) {
  RunningSoftmax softmax;
  for (int64_t column = first; column < end; column += step) softmax.take(logit(column));
  return softmax;
}

/// @param softmaxes  [rows] each over all the columns of its row
/// @param logit      of a row
template <class Logit>
KVCAL_HOST_DEVICE float sum_of_column(int64_t first_row, int64_t rows,
                                      const RunningSoftmax* softmaxes, const Logit& logit) {
  float sum = 0;
  for (int64_t row = first_row; row < rows; ++row) sum += softmaxes[row].share(logit(row));
  return sum;
}

/// As pool_tokens of window_scores.hpp.
enum class Pool { avg, max, grow };

/// Attention masses (not negative) of columns begin .. end - 1; outside there is nothing.
struct Masses {
  const float* mass;
  int64_t begin, end;
};

KVCAL_HOST_DEVICE inline float pooled_at(const Masses& masses, int64_t column, int64_t kernel,
                                         Pool pool) {
  const int64_t half = kernel / 2;
  float sum = 0, largest = 0;
  for (int64_t distance = -half; distance <= half; ++distance) {
    const int64_t at = column + distance;
    if (at < masses.begin || at >= masses.end) continue;
    float mass = masses.mass[at - masses.begin];
    sum += mass;
    if (pool == Pool::grow) {
      const auto steps = static_cast<float>(distance < 0 ? -distance : distance);
      mass *= 1 - steps / static_cast<float>(half + 1);
    }
    if (!(mass <= largest)) largest = mass;  // NaN shows
  }
  return pool == Pool::avg ? sum / static_cast<float>(kernel) : largest;
}

}  // namespace kvcal
