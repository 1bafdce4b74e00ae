// SPDX-License-Identifier: Apache-2.0
// Comparing two conditions measured on the same samples: difference, ratio, wins, p-value, and how
// records of results become such pairs. What the numbers mean: docs/statistics.md.
#pragma once

#include <cstdint>
#include <limits>
#include <span>
#include <vector>

#include "kvcal/profile/results.hpp"
#include "kvcal/profile/statistics.hpp"

namespace kvcal {

/// One row a sample.
struct Pairs {
  std::vector<double> a, b;
  std::vector<int64_t> clusters;  ///< rows with the same index are drawn together; or empty
};

struct Bootstrap {
  double level = 0.95;
  int64_t resamples = 10'000;  ///< no p-value below 2 / (resamples + 1) can be told
  uint64_t seed = 0;
};

/// Clusters below which no decision rests on an interval: with five, even if all point one way,
/// chance does the same in one of sixteen runs (2^(1 - 5) > 0.05).
inline constexpr int64_t kFewestClusters = 6;

/// A difference is called significant where its (adjusted) p-value is not above this.
inline constexpr double kSignificance = 0.05;

/// Scores that differ by less are a tie: rounding of sums, not quality.
inline constexpr double kTieTolerance = 1e-9;

/// `a` against `b`. NaN where there is no pair, or no interval (fewer than two clusters).
struct Comparison {
  static constexpr double kNone = kNaN;
  int64_t n = 0, clusters = 0;
  double mean_a = kNone, mean_b = kNone;
  double delta = kNone;  ///< mean(a) - mean(b)
  Interval delta_interval{kNone, kNone};
  /// mean(a) / mean(b), of means and not a mean of ratios; NaN where mean(b) is not positive. Its
  /// interval is NaN where a resample's mean(b) is not.
  double ratio = kNone;
  Interval ratio_interval{kNone, kNone};
  int64_t wins = 0, ties = 0, losses = 0;  ///< of `a`
  /// Two-sided, of "the means are equal": twice the share of resamples on the other side of zero,
  /// with one added to both counts; not below what a sign test of so many clusters can say.
  double p_value = kNone;
};

/// @throws Error{shape} sides of different lengths
Comparison compare(const Pairs& pairs, const Bootstrap& bootstrap = {});

/// Holm's adjusted p-values: to call those below 0.05 significant is wrong even once in no more
/// than 1 of 20 families. A NaN stays NaN and does not count.
std::vector<double> holm(std::span<const double> p_values);

/// Records of one variant on one task.
using RecordGroup = std::vector<const SampleRecord*>;

/// By (task, metric, method, visibility, mask, budget), in order of first appearance.
std::vector<RecordGroup> group_by_variant(std::span<const SampleRecord> records);

/// Samples that no compression touched count in no mean, except for the full cache, which never
/// compresses.
bool counts(const SampleRecord& record);

/// Index of the document; a sample without one is a cluster of its own.
std::vector<int64_t> document_clusters(const RecordGroup& group);

/// Pairs of the samples that count on both sides and have a number on both.
/// @param value  which number, e.g. &SampleRecord::kl
Pairs pair_by_sample(const RecordGroup& a, const RecordGroup& b,
                     double SampleRecord::*value = &SampleRecord::score);

}  // namespace kvcal
