// SPDX-License-Identifier: Apache-2.0
// Orthogonal matching pursuit: which few columns add up to a target, found greedily. All the time
// of Attention Matching goes here, so nothing is solved anew: Gram columns are computed once,
// several at a time, and a Cholesky factor grows with the choice.
#pragma once

#include <ATen/core/Tensor.h>

#include <cstdint>
#include <vector>

#include "matching/bounded_fit.hpp"

namespace kvcal {

struct PursuitOptions {
  int64_t keys_per_step = 1;   ///< columns taken between two looks at the residual
  int64_t refit_interval = 1;  ///< steps between two fits; new columns weigh bounds.low until then
  Bounds bounds = {1e-12, 1096.633158428459};  ///< of weights; e^7: compaction algorithms/omp.py
  double drop_below = 0;  ///< columns that weigh less at the end are given up; 0: none
  int64_t drop_rounds = 3;
  /// Gram columns computed at once, for the best candidates: reading the matrix costs more than
  /// the products.
  int64_t block_columns = 16;
};

struct Pursuit {
  std::vector<int64_t> columns;  ///< in the order of choice
  at::Tensor weights;            ///< [columns chosen] f64
};

/// Greedy choice of `count` columns: the next one has the largest product with the residual
/// y - E w (not its magnitude: weights are not negative), where w is the least-squares fit of the
/// columns so far, clamped to the bounds. Equal products go to the earlier column.
///
/// Columns that are dropped cannot come back, unless nothing else is left to fill the count.
///
/// @param e      [rows, candidates] f32 or f64; sums are of this dtype, so f64 is what to give
/// @param y      [rows], same dtype
/// @param count  0 .. candidates
Pursuit pursue(const at::Tensor& e, const at::Tensor& y, int64_t count,
               const PursuitOptions& options);

}  // namespace kvcal
