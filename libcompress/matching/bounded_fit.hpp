// SPDX-License-Identifier: Apache-2.0
// Weights within bounds that make columns add up to a target: min ||M w - y||^2, low <= w <= high.
// The authors of Attention Matching clamp the unbounded solution; here is theirs, and the true one.
#pragma once

#include <ATen/core/Tensor.h>

#include <cstdint>

#include "matching/least_squares.hpp"

namespace kvcal {

struct Bounds {
  double low = 0, high = 0;
};

/// The unbounded solution, clamped. Not the optimum within the bounds.
///
/// @param m  [batch, rows, columns]
/// @param y  [batch, rows]
/// @return   [batch, columns]
at::Tensor clamped_fit(const at::Tensor& m, const at::Tensor& y, const Bounds& bounds,
                       const LeastSquares& options = {});

/// Projected gradient steps from `weights`, each 1 / (largest singular value of M)^2 long.
/// @param start  [batch, columns] of the three power iterations that find that value
at::Tensor descend(const at::Tensor& m, const at::Tensor& y, const at::Tensor& weights,
                   const Bounds& bounds, int64_t steps, const at::Tensor& start);

/// The optimum within the bounds: block principal pivoting on M^T M (Kim and Park, SIAM J. Sci.
/// Comput. 33, 2011, here with both bounds), with single pivots where blocks cycle, so that it
/// ends.
at::Tensor bounded_fit(const at::Tensor& m, const at::Tensor& y, const Bounds& bounds);

}  // namespace kvcal
