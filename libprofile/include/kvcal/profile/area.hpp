// SPDX-License-Identifier: Apache-2.0
// Area under accuracy versus budget: one number for a method over a range of budgets.
#pragma once

#include <cstdint>
#include <optional>
#include <span>
#include <string>
#include <vector>

#include "kvcal/profile/results.hpp"

namespace kvcal {

/// The mean score over log2(kept share of entries), linear between the budgets that were run, from
/// share_low to share_high: the range that all methods of the task and visibility have in common.
/// Means are over the samples that every budget of the method compressed. Docs: docs/statistics.md.
struct Area {
  std::string task, metric, method, visibility;
  int64_t budgets = 0;
  double share_low = 0, share_high = 0;  ///< 0 .. 1, of entries kept
  int64_t n = 0;
  double area = 0;  ///< 0 .. 1
  std::optional<double> ci_low, ci_high;
  /// area / the full cache's mean score on the same samples; 1: as good at every budget.
  std::optional<double> relative_to_full, relative_ci_low, relative_ci_high;

  template <class Self, class Visitor>
  static void fields(Self& self, Visitor& v) {
    v("task", self.task), v("metric", self.metric), v("method", self.method);
    v("visibility", self.visibility), v("budgets", self.budgets);
    v("share_low", self.share_low), v("share_high", self.share_high), v("n", self.n);
    v("area", self.area), v("ci_low", self.ci_low), v("ci_high", self.ci_high);
    v("relative_to_full", self.relative_to_full), v("relative_ci_low", self.relative_ci_low);
    v("relative_ci_high", self.relative_ci_high);
  }
};

/// Methods with two budgets or more, in order of first appearance; none where their ranges have
/// nothing in common. Intervals as those of cells.
std::vector<Area> areas(const Results& results, uint64_t seed);

/// Weights w such that sum w[i] y[i] is the mean over low .. high of the line through (x[i], y[i]):
/// the trapezoid rule, cut at both ends.
/// @param x  ascending, no two equal, x.front() <= low < high <= x.back()
std::vector<double> trapezoid_weights(std::span<const double> x, double low, double high);

}  // namespace kvcal
