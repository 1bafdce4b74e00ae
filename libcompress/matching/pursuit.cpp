// SPDX-License-Identifier: Apache-2.0
#include "matching/pursuit.hpp"

#include <ATen/ATen.h>

#include <algorithm>
#include <limits>

#include "kvcal/compress/error.hpp"

namespace kvcal {
namespace {

constexpr double kMinusInfinity = -std::numeric_limits<double>::infinity();

/// Columns of E^T E. One that is asked for brings along the likeliest next ones: reading E costs
/// more than their products.
class GramColumns {
 public:
  GramColumns(const at::Tensor& e, int64_t block_columns)
      : e_(e), block_columns_(static_cast<size_t>(block_columns)), known_(as_size(e.size(1))) {}

  /// @param likely  columns that may be asked for next, best first
  /// @return  [candidates]
  at::Tensor column(int64_t wanted, const std::vector<int64_t>& likely) {
    auto& found = known_[as_size(wanted)];
    if (!found.defined()) compute(wanted, likely);
    return found;
  }

 private:
  static size_t as_size(int64_t number) { return static_cast<size_t>(number); }

  void compute(int64_t wanted, const std::vector<int64_t>& likely) {
    std::vector<int64_t> block{wanted};
    for (const int64_t other : likely) {
      if (block.size() >= block_columns_) break;
      if (other != wanted && !known_[as_size(other)].defined()) block.push_back(other);
    }
    const auto index = at::tensor(block, at::kLong).to(e_.device());
    const auto products = at::mm(e_.index_select(1, index).t(), e_);  // [block, candidates]
    for (size_t i = 0; i < block.size(); ++i) {
      known_[as_size(block[i])] = products[static_cast<int64_t>(i)];
    }
  }

  const at::Tensor& e_;  // [rows, candidates]
  size_t block_columns_;
  std::vector<at::Tensor> known_;  // [candidates], each [candidates] or undefined
};

/// Least squares of a target by columns that come one at a time: the Cholesky factor L of their
/// Gram matrix grows by a row, and so does the solution of L z = E^T y.
class GrowingFit {
 public:
  /// @param products  [candidates] E^T y
  GrowingFit(const at::Tensor& products, int64_t capacity)
      : products_(products),
        least_pivot_(1e3 * (products.scalar_type() == at::kDouble
                                ? std::numeric_limits<double>::epsilon()
                                : std::numeric_limits<float>::epsilon())),
        gram_(at::empty({capacity, products.size(0)}, products.options())),
        factor_(at::zeros({capacity, capacity}, products.options()).t()),  // column-major, for BLAS
        partial_(at::empty({capacity, 1}, products.options())) {}

  int64_t size() const { return static_cast<int64_t>(columns_.size()); }
  const std::vector<int64_t>& columns() const { return columns_; }

  /// @param gram_column  [candidates] of E^T E
  void add(int64_t column, const at::Tensor& gram_column) {
    const int64_t n = size();
    const double square = gram_column[column].item<double>();
    double pivot = square, rest = products_[column].item<double>();
    if (n > 0) {
      const auto index = at::tensor(columns_, at::kLong).to(gram_column.device());
      const auto among = gram_column.index_select(0, index).unsqueeze(1);             // [n, 1]
      const auto row = at::linalg_solve_triangular(lower(), among, /*upper=*/false);  // [n, 1]
      factor_[n].narrow(0, 0, n).copy_(row.squeeze(1));
      pivot -= row.square().sum().item<double>();
      rest -= (row * partial_.narrow(0, 0, n)).sum().item<double>();
    }
    // A column within the span of those so far gets a pivot of its own, as if it were longer: a
    // weight near none.
    if (pivot <= least_pivot_ * square) pivot = square > 0 ? square : 1;
    factor_[n][n] = std::sqrt(pivot);
    partial_[n] = rest / std::sqrt(pivot);
    gram_[n].copy_(gram_column);
    columns_.push_back(column);
  }

  /// [size] weights of the least squares, without bounds.
  at::Tensor solve() const {
    const auto partial = partial_.narrow(0, 0, size());
    return at::linalg_solve_triangular(lower().t(), partial, /*upper=*/true).squeeze(1);
  }

  /// [candidates] products of all columns with the residual y - E w.
  at::Tensor residual_products(const at::Tensor& weights) const {
    if (size() == 0) return products_.clone();
    return products_ - at::mv(gram_.narrow(0, 0, size()).t(), weights);
  }

  void clear() { columns_.clear(); }

 private:
  at::Tensor lower() const { return factor_.narrow(0, 0, size()).narrow(1, 0, size()); }

  at::Tensor products_;  // [candidates]
  double least_pivot_;
  std::vector<int64_t> columns_;
  at::Tensor gram_;     // [capacity, candidates], rows of the columns so far
  at::Tensor factor_;   // [capacity, capacity]
  at::Tensor partial_;  // [capacity, 1]
};

class Search {
 public:
  Search(const at::Tensor& e, const at::Tensor& y, int64_t count, const PursuitOptions& options)
      : options_(options),
        count_(count),
        gram_(e, options.block_columns),
        fit_(at::mv(e.t(), y), count),
        is_free_(static_cast<size_t>(e.size(1)), true) {
    weights_ = at::empty({0}, e.options());
  }

  Pursuit run() {
    fill();
    for (int64_t round = 0; round < options_.drop_rounds && drop_light(); ++round) fill();
    if (fit_.size() < count_) {  // all others were dropped: take the best of these back
      is_free_.assign(is_free_.size(), true);
      for (const int64_t column : fit_.columns()) is_free_[static_cast<size_t>(column)] = false;
      fill();
    }
    return {fit_.columns(), weights_.to(at::kCPU, at::kDouble)};
  }

 private:
  /// Chooses until the count is reached or no column is free.
  void fill() {
    for (int64_t step = 0; fit_.size() < count_; ++step) {
      const auto best = best_free();
      const auto taken = std::min(
          {static_cast<int64_t>(best.size()), options_.keys_per_step, count_ - fit_.size()});
      if (taken == 0) break;
      for (int64_t i = 0; i < taken; ++i) take(best[static_cast<size_t>(i)], best);
      const bool is_full = fit_.size() == count_;
      if (is_full || step % options_.refit_interval == 0) {
        refit();
      } else {
        const auto fresh = at::full({taken}, options_.bounds.low, weights_.options());
        weights_ = at::cat({weights_, fresh});
      }
    }
  }

  void refit() { weights_ = fit_.solve().clamp(options_.bounds.low, options_.bounds.high); }

  void take(int64_t column, const std::vector<int64_t>& likely) {
    fit_.add(column, gram_.column(column, likely));
    is_free_[static_cast<size_t>(column)] = false;
  }

  /// Free columns by their product with the residual, best first; those for a step and its block.
  std::vector<int64_t> best_free() const {
    const auto products = fit_.residual_products(weights_).to(at::kCPU, at::kDouble).contiguous();
    const double* product = products.const_data_ptr<double>();
    std::vector<int64_t> free;
    for (size_t i = 0; i < is_free_.size(); ++i) {
      if (is_free_[i]) free.push_back(static_cast<int64_t>(i));
    }
    const auto listed = std::min<int64_t>(static_cast<int64_t>(free.size()),
                                          std::max(options_.keys_per_step, options_.block_columns));
    std::partial_sort(free.begin(), free.begin() + listed, free.end(), [&](int64_t a, int64_t b) {
      return product[a] != product[b] ? product[a] > product[b] : a < b;
    });
    free.resize(static_cast<size_t>(listed));
    return free;
  }

  /// Gives up the columns of little weight for good. False when there are none.
  bool drop_light() {
    const auto weights = weights_.to(at::kCPU, at::kDouble).contiguous();
    const double* weight = weights.const_data_ptr<double>();
    std::vector<int64_t> stay;
    for (size_t i = 0; i < fit_.columns().size(); ++i) {
      if (weight[i] >= options_.drop_below) stay.push_back(fit_.columns()[i]);
    }
    if (stay.size() == fit_.columns().size()) return false;
    fit_.clear();
    for (const int64_t column : stay) fit_.add(column, gram_.column(column, {}));
    if (stay.empty()) {
      weights_ = weights_.narrow(0, 0, 0);
    } else {
      refit();
    }
    return true;
  }

  PursuitOptions options_;
  int64_t count_;
  GramColumns gram_;
  GrowingFit fit_;
  std::vector<bool> is_free_;  // [candidates]
  at::Tensor weights_;         // [columns so far]
};

}  // namespace

Pursuit pursue(const at::Tensor& e, const at::Tensor& y, int64_t count,
               const PursuitOptions& options) {
  require(
      e.dim() == 2 && y.dim() == 1 && e.size(0) == y.size(0) && count >= 0 && count <= e.size(1),
      Kind::shape, "pursuit of {} columns in {} x {} for a target of {}", count, e.size(0),
      e.size(1), y.size(0));
  require(options.keys_per_step >= 1 && options.refit_interval >= 1 && options.block_columns >= 1,
          Kind::config, "pursuit of {} keys a step, refit every {}, blocks of {}; need >= 1",
          options.keys_per_step, options.refit_interval, options.block_columns);
  return Search(e, y, count, options).run();
}

}  // namespace kvcal
