// SPDX-License-Identifier: Apache-2.0
#include "matching/least_squares.hpp"

#include <ATen/ATen.h>

#include <array>
#include <limits>
#include <tuple>

#include "kvcal/compress/error.hpp"

namespace kvcal {
namespace {

constexpr std::array<std::pair<std::string_view, RidgeScale>, 3> kRidgeScales{
    {{"absolute", RidgeScale::absolute},
     {"frobenius", RidgeScale::frobenius},
     {"spectral", RidgeScale::spectral}}};

constexpr int64_t kSpectralIterations = 30;

at::Tensor transposed(const at::Tensor& matrix) {
  return matrix.transpose(-1, -2);
}

/// [batch] what is added to the diagonal of A^T A.
at::Tensor ridge_of(const at::Tensor& a, const LeastSquares& options) {
  if (options.ridge == 0 || options.ridge_scale == RidgeScale::absolute) {
    return at::full({a.size(0)}, options.ridge, a.options());
  }
  if (options.ridge_scale == RidgeScale::frobenius) {
    return a.square().sum({1, 2}) * (options.ridge / static_cast<double>(a.size(2)));
  }
  const auto start = at::ones({a.size(0), a.size(2)}, a.options());
  return squared_norm(a, start, kSpectralIterations) * options.ridge;
}

/// Factor of gram + ridge; the ridge grows until there is one.
at::Tensor factor(const at::Tensor& gram, const at::Tensor& ridge) {
  const double epsilon = gram.scalar_type() == at::kDouble ? std::numeric_limits<double>::epsilon()
                                                           : std::numeric_limits<float>::epsilon();
  const auto diagonal = gram.diagonal(0, -2, -1);  // [batch, n]
  // A column of zeros has to get a pivot too, hence the tiny number.
  const auto scale = std::get<0>(diagonal.max(1)).clamp_min(1e-30);  // [batch]
  const auto unit = at::eye(gram.size(1), gram.options());
  auto added = ridge;
  for (double jitter = epsilon * static_cast<double>(gram.size(1));; jitter *= 100) {
    auto [lower, failed] = at::linalg_cholesky_ex(gram + added.view({-1, 1, 1}) * unit);
    if (!failed.any().item<bool>()) return lower;
    require(jitter < 1, Kind::numeric, "no Cholesky factor of a Gram matrix of {} columns",
            gram.size(1));
    added = ridge + scale * jitter;
  }
}

at::Tensor solve_normal(const at::Tensor& a, const at::Tensor& b, const LeastSquares& options) {
  const auto ridge = ridge_of(a, options);  // [batch]
  if (a.size(1) >= a.size(2)) {
    const auto lower = factor(at::matmul(transposed(a), a), ridge);
    return at::cholesky_solve(at::matmul(transposed(a), b), lower);
  }
  const auto lower = factor(at::matmul(a, transposed(a)), ridge);
  return at::matmul(transposed(a), at::cholesky_solve(b, lower));
}

}  // namespace

RidgeScale parse_ridge_scale(std::string_view name) {
  for (const auto& [known, scale] : kRidgeScales) {
    if (known == name) return scale;
  }
  fail(Kind::config, "unknown ridge scale '{}' (known: absolute, frobenius, spectral)", name);
}

at::Tensor squared_norm(const at::Tensor& a, const at::Tensor& start, int64_t iterations) {
  auto direction = start.unsqueeze(2);  // [batch, columns, 1]
  for (int64_t i = 0; i < iterations; ++i) {
    direction = at::matmul(transposed(a), at::matmul(a, direction));
    direction = direction / direction.norm(2, 1, true).clamp_min(1e-30);
  }
  return at::matmul(a, direction).square().sum({1, 2});
}

at::Tensor solve_least_squares(const at::Tensor& a, const at::Tensor& b,
                               const LeastSquares& options) {
  require(a.dim() == 3 && b.dim() == 3 && a.size(0) == b.size(0) && a.size(1) == b.size(1),
          Kind::shape, "least squares of {} and {} dimensions, need [batch, rows, ..] of both",
          a.dim(), b.dim());
  require(at::isfinite(a).all().item<bool>() && at::isfinite(b).all().item<bool>(), Kind::numeric,
          "least squares over numbers that are not finite");
  if (!options.uses_qr || options.ridge > 0) return solve_normal(a, b, options);
  try {
    return std::get<0>(at::linalg_lstsq(a, b, std::nullopt, "gels"));
  } catch (const c10::LinAlgError&) {  // gels takes full rank for granted
    return solve_normal(a, b, options);
  }
}

}  // namespace kvcal
