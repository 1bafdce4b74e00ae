// SPDX-License-Identifier: Apache-2.0
// Statistics that no library has in the form we need: deterministic bootstrap, rank agreement.
#pragma once

#include <cstdint>
#include <limits>
#include <optional>
#include <span>
#include <string_view>
#include <vector>

namespace kvcal {

/// What a statistic is that has no value.
inline constexpr double kNaN = std::numeric_limits<double>::quiet_NaN();

/// Nothing instead of NaN.
std::optional<double> if_number(double value);

struct Interval {
  double low = 0, high = 0;
};

/// Means of several columns over the same bootstrap resamples of whole clusters: what is paired
/// stays paired.
///
/// @param columns   each [n]
/// @param clusters  [n] cluster index of each row, or empty (each its own)
/// @return  [columns][resamples]; no resamples where there are fewer than two clusters (no false
///          precision)
/// Deterministic in `seed`; independent of threads and of the number of columns.
std::vector<std::vector<double>> bootstrap_means(std::span<const std::vector<double>> columns,
                                                 std::span<const int64_t> clusters,
                                                 int64_t resamples, uint64_t seed);

/// From the (1 - level) / 2 quantile to the (1 + level) / 2 one, linear between order statistics.
/// NaN bounds where there is no value, or one that is no number.
Interval percentile_interval(std::vector<double> values, double level);

/// Percentile bootstrap of the mean, resampling whole clusters.
///
/// @param values    [n]; n = 1 or all in one cluster gives NaN bounds
/// @param clusters  [n] cluster index of each value, or empty (each its own)
/// @param level     e.g. 0.95
Interval bootstrap_mean(std::span<const double> values, std::span<const int64_t> clusters = {},
                        double level = 0.95, int64_t resamples = 2000, uint64_t seed = 0);

/// Same for the difference of paired means, mean(a) - mean(b). All else about two conditions is in
/// comparison.hpp.
Interval bootstrap_paired(std::span<const double> a, std::span<const double> b,
                          std::span<const int64_t> clusters = {}, double level = 0.95,
                          int64_t resamples = 2000, uint64_t seed = 0);

/// Spearman's rank correlation, average ranks for ties; NaN if either side is constant.
double spearman(std::span<const double> a, std::span<const double> b);

/// Share of the top n of `a` that is in the top n of `b` too; ties to the lower index.
double top_overlap(std::span<const double> a, std::span<const double> b, int64_t n);

/// Linear counter-based random numbers, equal on every platform: splitmix64 of (seed, counter).
uint64_t random_bits(uint64_t seed, uint64_t counter);

/// 64-bit hash of a string (FNV-1a), stable over platforms and releases.
uint64_t stable_hash(std::string_view text, uint64_t seed = 0);

}  // namespace kvcal
