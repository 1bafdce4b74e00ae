// SPDX-License-Identifier: Apache-2.0
#include "kvcal/profile/comparison.hpp"

#include <algorithm>
#include <cmath>
#include <numeric>
#include <set>

#include "kvcal/compress/error.hpp"

namespace kvcal {
namespace {

double mean(const std::vector<double>& values) {
  const double sum = std::accumulate(values.begin(), values.end(), 0.0);
  return values.empty() ? Comparison::kNone : sum / static_cast<double>(values.size());
}

void count_outcomes(const Pairs& pairs, Comparison& comparison) {
  for (size_t i = 0; i < pairs.a.size(); ++i) {
    const double difference = pairs.a[i] - pairs.b[i];
    ++(std::abs(difference) <= kTieTolerance ? comparison.ties
       : difference > 0                      ? comparison.wins
                                             : comparison.losses);
  }
}

/// Rounding of a resample's sums must not decide on which side of zero it lies.
double two_sided_p(const std::vector<double>& deltas, int64_t clusters) {
  int64_t not_above = 1, not_below = 1;
  for (const double delta : deltas) {
    not_above += delta <= kTieTolerance;
    not_below += delta >= -kTieTolerance;
  }
  const double share = 2.0 * static_cast<double>(std::min(not_above, not_below)) /
                       static_cast<double>(deltas.size() + 1);
  return std::clamp(share, std::exp2(static_cast<double>(1 - clusters)), 1.0);
}

Interval ratio_interval(const std::vector<double>& a, const std::vector<double>& b, double level) {
  std::vector<double> ratios(a.size());
  for (size_t i = 0; i < a.size(); ++i) ratios[i] = b[i] > 0 ? a[i] / b[i] : Comparison::kNone;
  return percentile_interval(std::move(ratios), level);
}

}  // namespace

Comparison compare(const Pairs& pairs, const Bootstrap& bootstrap) {
  require(pairs.a.size() == pairs.b.size(), Kind::shape,
          "comparison: {} and {} values, need as many on both sides", pairs.a.size(),
          pairs.b.size());
  Comparison comparison;
  comparison.n = static_cast<int64_t>(pairs.a.size());
  const std::set<int64_t> clusters(pairs.clusters.begin(), pairs.clusters.end());
  comparison.clusters =
      pairs.clusters.empty() ? comparison.n : static_cast<int64_t>(clusters.size());
  comparison.mean_a = mean(pairs.a), comparison.mean_b = mean(pairs.b);
  count_outcomes(pairs, comparison);
  std::vector<double> deltas(pairs.a.size());
  std::transform(pairs.a.begin(), pairs.a.end(), pairs.b.begin(), deltas.begin(), std::minus<>());
  comparison.delta = mean(deltas);
  if (comparison.mean_b > 0) comparison.ratio = comparison.mean_a / comparison.mean_b;
  const std::vector<double> columns[] = {std::move(deltas), pairs.a, pairs.b};
  const auto means = bootstrap_means(columns, pairs.clusters, bootstrap.resamples, bootstrap.seed);
  if (means[0].empty()) return comparison;
  comparison.delta_interval = percentile_interval(means[0], bootstrap.level);
  comparison.ratio_interval = ratio_interval(means[1], means[2], bootstrap.level);
  comparison.p_value = two_sided_p(means[0], comparison.clusters);
  return comparison;
}

std::vector<double> holm(std::span<const double> p_values) {
  std::vector<size_t> order;
  for (size_t i = 0; i < p_values.size(); ++i) {
    if (!std::isnan(p_values[i])) order.push_back(i);
  }
  std::sort(order.begin(), order.end(),
            [&](size_t i, size_t j) { return p_values[i] < p_values[j]; });
  std::vector<double> adjusted(p_values.size(), Comparison::kNone);
  double largest = 0;
  for (size_t rank = 0; rank < order.size(); ++rank) {
    const double scaled = p_values[order[rank]] * static_cast<double>(order.size() - rank);
    largest = std::max(largest, std::min(1.0, scaled));
    adjusted[order[rank]] = largest;
  }
  return adjusted;
}

}  // namespace kvcal
