// SPDX-License-Identifier: Apache-2.0
// Linear least squares as Attention Matching needs them: tall, often nearly singular, sometimes
// wide.
#pragma once

#include <ATen/core/Tensor.h>

#include <string_view>

namespace kvcal {

/// What a ridge is a multiple of: of 1, of the mean squared column norm ||A||_F^2 / columns, or of
/// the squared largest singular value.
enum class RidgeScale { absolute, frobenius, spectral };
/// @throws Error{config} unknown name: lists the known ones
RidgeScale parse_ridge_scale(std::string_view name);

struct LeastSquares {
  /// QR of A (LAPACK gels): slower, and twice the digits. Else Cholesky of A^T A; of A A^T where A
  /// is wide. Only without a ridge.
  bool uses_qr = false;
  double ridge = 0;
  RidgeScale ridge_scale = RidgeScale::spectral;
};

/// argmin_X ||A X - B||_F^2 + ridge ||X||_F^2; of minimum norm where A is wide. Where A^T A is
/// singular in its precision, a ridge just large enough is taken.
///
/// @param a  [batch, rows, columns] f32 or f64
/// @param b  [batch, rows, k], same dtype
/// @return   [batch, columns, k]
/// @throws   Error{Kind::numeric} A or B is not finite
at::Tensor solve_least_squares(const at::Tensor& a, const at::Tensor& b,
                               const LeastSquares& options = {});

/// [batch] squared largest singular value of A by power iterations.
/// @param start  [batch, columns] not zero
at::Tensor squared_norm(const at::Tensor& a, const at::Tensor& start, int64_t iterations);

}  // namespace kvcal
