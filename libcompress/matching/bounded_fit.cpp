// SPDX-License-Identifier: Apache-2.0
#include "matching/bounded_fit.hpp"

#include <ATen/ATen.h>

#include <vector>

#include "kvcal/compress/error.hpp"

namespace kvcal {
namespace {

constexpr int64_t kPowerIterations = 3;  // compaction algorithms/base.py, _nnls_pg
/// Block exchanges in a row that may fail to lower the number of violations (Kim and Park: 3).
constexpr int64_t kPatience = 3;
/// Relative to the columns: makes the optimum unique where columns are the same.
constexpr double kRidge = 1e-12;

/// Where a weight is.
enum class Place : int8_t { low, free, high };

/// One system of a batch, f64 on the CPU.
class BoundedFit {
 public:
  BoundedFit(const at::Tensor& m, const at::Tensor& y, const Bounds& bounds)
      : bounds_(bounds), gram_(at::mm(m.t(), m)), target_(at::mv(m.t(), y)) {
    const double largest = std::max(gram_.diagonal().max().item<double>(), 1e-30);
    gram_.diagonal().add_(largest * kRidge);
    tolerance_ = 1e-10 * std::max(target_.abs().max().item<double>(), 1e-30);
    places_.assign(static_cast<size_t>(gram_.size(0)), Place::free);
  }

  /// [columns]
  at::Tensor solve() {
    size_t fewest = places_.size() + 1;
    int64_t patience = kPatience;
    // Single pivots end after at most 2^columns steps in theory, a few times columns in practice.
    const size_t most_steps = 20 * places_.size() + 100;
    for (size_t step = 0; step < most_steps; ++step) {
      fit_free();
      const auto wrong = violations();
      if (wrong.empty()) break;
      if (wrong.size() < fewest) {
        fewest = wrong.size();
        patience = kPatience;
      } else {
        --patience;
      }
      const size_t first = patience >= 0 ? 0 : wrong.size() - 1;  // else the last one alone
      for (size_t i = first; i < wrong.size(); ++i) places_[wrong[i].column] = wrong[i].belongs;
    }
    return weights_.clamp(bounds_.low, bounds_.high);
  }

 private:
  struct Violation {
    size_t column;
    Place belongs;
  };

  /// The free weights by least squares, the others on their bounds.
  void fit_free() {
    std::vector<int64_t> free;
    weights_ = at::empty_like(target_);
    auto* weights = weights_.mutable_data_ptr<double>();
    for (size_t i = 0; i < places_.size(); ++i) {
      if (places_[i] == Place::free) free.push_back(static_cast<int64_t>(i));
      weights[i] = places_[i] == Place::low    ? bounds_.low
                   : places_[i] == Place::high ? bounds_.high
                                               : 0;
    }
    if (!free.empty()) {
      const auto index = at::tensor(free, at::kLong);
      const auto rest = (target_ - at::mv(gram_, weights_)).index_select(0, index);
      const auto gram = gram_.index_select(0, index).index_select(1, index);
      const auto lower = std::get<0>(at::linalg_cholesky_ex(gram));
      weights_.index_copy_(0, index, at::cholesky_solve(rest.unsqueeze(1), lower).squeeze(1));
    }
    gradient_ = at::mv(gram_, weights_) - target_;
  }

  /// Free weights beyond a bound, and weights on a bound that want to leave it.
  std::vector<Violation> violations() const {
    const auto* weights = weights_.const_data_ptr<double>();
    const auto* gradient = gradient_.const_data_ptr<double>();
    std::vector<Violation> wrong;
    for (size_t i = 0; i < places_.size(); ++i) {
      if (places_[i] == Place::free) {
        if (weights[i] < bounds_.low) wrong.push_back({i, Place::low});
        if (weights[i] > bounds_.high) wrong.push_back({i, Place::high});
      } else if (places_[i] == Place::low ? gradient[i] < -tolerance_ : gradient[i] > tolerance_) {
        wrong.push_back({i, Place::free});
      }
    }
    return wrong;
  }

  Bounds bounds_;
  at::Tensor gram_;      // [columns, columns]
  at::Tensor target_;    // [columns]
  at::Tensor weights_;   // [columns]
  at::Tensor gradient_;  // [columns]
  double tolerance_ = 0;
  std::vector<Place> places_;
};

void check(const at::Tensor& m, const at::Tensor& y, const Bounds& bounds) {
  require(m.dim() == 3 && y.dim() == 2 && m.size(0) == y.size(0) && m.size(1) == y.size(1),
          Kind::shape, "fit of {} and {} dimensions, need [batch, rows, columns] and [batch, rows]",
          m.dim(), y.dim());
  require(bounds.low <= bounds.high, Kind::config, "bounds {} .. {}, need low <= high", bounds.low,
          bounds.high);
}

}  // namespace

at::Tensor clamped_fit(const at::Tensor& m, const at::Tensor& y, const Bounds& bounds,
                       const LeastSquares& options) {
  check(m, y, bounds);
  const auto weights = solve_least_squares(m, y.unsqueeze(2), options).squeeze(2);
  return weights.clamp(bounds.low, bounds.high);
}

at::Tensor descend(const at::Tensor& m, const at::Tensor& y, const at::Tensor& weights,
                   const Bounds& bounds, int64_t steps, const at::Tensor& start) {
  check(m, y, bounds);
  if (steps == 0) return weights;
  const auto length = squared_norm(m, start, kPowerIterations).clamp_min(1e-30).view({-1, 1, 1});
  auto current = weights.unsqueeze(2);  // [batch, columns, 1]
  for (int64_t step = 0; step < steps; ++step) {
    const auto gradient = at::matmul(m.transpose(1, 2), at::matmul(m, current) - y.unsqueeze(2));
    current = (current - gradient / length).clamp(bounds.low, bounds.high);
  }
  return current.squeeze(2);
}

at::Tensor bounded_fit(const at::Tensor& m, const at::Tensor& y, const Bounds& bounds) {
  check(m, y, bounds);
  const auto matrices = m.to(at::kCPU, at::kDouble), targets = y.to(at::kCPU, at::kDouble);
  std::vector<at::Tensor> weights;
  for (int64_t i = 0; i < m.size(0); ++i) {
    weights.push_back(BoundedFit(matrices[i], targets[i], bounds).solve());
  }
  return at::stack(weights).to(m.options());
}

}  // namespace kvcal
