// SPDX-License-Identifier: Apache-2.0
// Shares of KV heads by influence (Attention Matching, arXiv:2602.16284, the authors'
// `head_budget_optimization/`, 2e59cc8): how much a model loses as one KV head keeps more or less,
// and the shares that lose least. Found once a model, not per prompt.
#pragma once

#include <cstddef>
#include <cstdint>
#include <span>
#include <vector>

namespace kvcal {

/// Loss of each KV head at each ratio of entries kept, the others left at some ratio.
struct InfluenceCurves {
  std::vector<double> ratios;               ///< [points] ascending
  std::vector<std::vector<double>> losses;  ///< [heads][points]

  size_t heads() const { return losses.size(); }
  /// Linear between points, that of the end point beyond.
  double loss(size_t head, double ratio) const;
  /// Each point the mean of the `window` points around it, fewer at the ends: what to decide by
  /// where measurements are noisy.
  InfluenceCurves smoothed(int64_t window) const;
};

/// Mean over `targets` of the sum over heads of the loss at share * target * heads.
/// @param shares   [heads], sum 1
/// @param targets  overall ratios kept, in 0 .. 1
double average_loss(const InfluenceCurves& curves, std::span<const double> shares,
                    std::span<const double> targets);

/// From equal shares on, moves `step` from the head that loses least by it to the one that gains
/// most, while that lowers average_loss.
std::vector<double> swap_shares(const InfluenceCurves& curves, std::span<const double> targets,
                                double step = 0.001);

/// swap_shares over the authors' targets, 1, 2, 5 and 10 %: good shares whatever the budget.
std::vector<double> influence_shares(const InfluenceCurves& curves);

/// The same for one overall ratio: ratios of the heads, mean `target`, at most the last measured
/// one.
std::vector<double> swap_ratios(const InfluenceCurves& curves, double target, double step = 0.001);

/// From nothing on, gives `step` to the head that gains most by it until the mean is `target`. Gets
/// stuck where a curve has to rise before it falls, which is why swapping is the rule.
std::vector<double> greedy_ratios(const InfluenceCurves& curves, double target,
                                  double step = 0.001);

/// Cuts shares to `most`, and gives what is cut to the heads below it in proportion to their
/// shares, until none is above.
/// @param most  share that no head may pass, >= 1 / heads
std::vector<double> cap_shares(std::span<const double> shares, double most);

}  // namespace kvcal
