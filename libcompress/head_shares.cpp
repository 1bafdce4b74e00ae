// SPDX-License-Identifier: Apache-2.0
#include "kvcal/compress/head_shares.hpp"

#include <algorithm>
#include <limits>
#include <numeric>
#include <utility>

#include "kvcal/compress/error.hpp"

namespace kvcal {
namespace {

constexpr double kInfinity = std::numeric_limits<double>::infinity();

void check(const InfluenceCurves& curves, double step) {
  require(curves.heads() > 0 && !curves.ratios.empty() &&
              std::is_sorted(curves.ratios.begin(), curves.ratios.end()),
          Kind::shape, "influence curves of {} heads over {} ratios, need both, in order",
          curves.heads(), curves.ratios.size());
  for (const auto& losses : curves.losses) {
    require(losses.size() == curves.ratios.size(), Kind::shape,
            "an influence curve has {} points, need {}", losses.size(), curves.ratios.size());
  }
  require(step > 0 && step < 1, Kind::config, "step = {}, need more than 0, less than 1", step);
}

/// Mean loss of one head over the targets, by its share.
class ShareLoss {
 public:
  ShareLoss(const InfluenceCurves& curves, std::span<const double> targets)
      : curves_(curves), targets_(targets) {}

  double operator()(size_t head, double share) const {
    double sum = 0;
    for (const double target : targets_) {
      sum += curves_.loss(head, share * target * static_cast<double>(curves_.heads()));
    }
    return sum / static_cast<double>(targets_.size());
  }

 private:
  const InfluenceCurves& curves_;
  std::span<const double> targets_;
};

struct Limits {
  double step;
  double donor_above;  ///< who has no more gives nothing
  double most;         ///< nobody gets beyond
};

/// Who gains most by a step more, and how much; the first of equals. heads: nobody may have more.
template <class Loss>
std::pair<size_t, double> best_recipient(const std::vector<double>& parts, const Loss& loss,
                                         const Limits& limits) {
  std::pair<size_t, double> best{parts.size(), -kInfinity};
  for (size_t h = 0; h < parts.size(); ++h) {
    if (parts[h] >= limits.most) continue;
    const double drop = loss(h, parts[h]) - loss(h, parts[h] + limits.step);
    if (drop > best.second) best = {h, drop};
  }
  return best;
}

/// Who but the recipient loses least by a step less, and how much.
template <class Loss>
std::pair<size_t, double> best_donor(const std::vector<double>& parts, size_t recipient,
                                     const Loss& loss, const Limits& limits) {
  std::pair<size_t, double> best{parts.size(), kInfinity};
  for (size_t h = 0; h < parts.size(); ++h) {
    if (h == recipient || parts[h] <= limits.donor_above) continue;
    const double rise = loss(h, parts[h] - limits.step) - loss(h, parts[h]);
    if (rise < best.second) best = {h, rise};
  }
  return best;
}

/// Moves steps between heads while that lowers the loss.
template <class Loss>
void swap(std::vector<double>& parts, const Loss& loss, const Limits& limits) {
  constexpr int64_t kMostMoves = 100000;  // solver.py: for curves that noise makes cycle
  for (int64_t move = 0; move < kMostMoves; ++move) {
    const auto [recipient, drop] = best_recipient(parts, loss, limits);
    const auto [donor, rise] = best_donor(parts, recipient, loss, limits);
    if (recipient == parts.size() || donor == parts.size() || drop <= rise) return;
    parts[recipient] = std::min(parts[recipient] + limits.step, limits.most);
    parts[donor] = std::max(parts[donor] - limits.step, 0.0);
  }
}

double mean_of(const std::vector<double>& numbers) {
  return std::accumulate(numbers.begin(), numbers.end(), 0.0) / static_cast<double>(numbers.size());
}

}  // namespace

double InfluenceCurves::loss(size_t head, double ratio) const {
  const auto& curve = losses[head];
  const auto above = std::upper_bound(ratios.begin(), ratios.end(), ratio);
  if (above == ratios.begin()) return curve.front();
  if (above == ratios.end()) return curve.back();
  const auto i = static_cast<size_t>(above - ratios.begin());
  const double way = (ratio - ratios[i - 1]) / (ratios[i] - ratios[i - 1]);
  return curve[i - 1] + way * (curve[i] - curve[i - 1]);
}

InfluenceCurves InfluenceCurves::smoothed(int64_t window) const {
  InfluenceCurves smooth = *this;
  const auto points = static_cast<int64_t>(ratios.size());
  for (size_t h = 0; h < losses.size(); ++h) {
    for (int64_t i = 0; i < points; ++i) {
      const auto first = losses[h].begin() + std::max<int64_t>(0, i - window / 2);
      const auto last = losses[h].begin() + std::min(points, i + window / 2 + 1);
      smooth.losses[h][static_cast<size_t>(i)] =
          std::accumulate(first, last, 0.0) / static_cast<double>(last - first);
    }
  }
  return smooth;
}

double average_loss(const InfluenceCurves& curves, std::span<const double> shares,
                    std::span<const double> targets) {
  const ShareLoss loss(curves, targets);
  double sum = 0;
  for (size_t h = 0; h < shares.size(); ++h) sum += loss(h, shares[h]);
  return sum;
}

std::vector<double> swap_shares(const InfluenceCurves& curves, std::span<const double> targets,
                                double step) {
  check(curves, step);
  require(!targets.empty(), Kind::config, "no target ratio, need at least one");
  std::vector<double> shares(curves.heads(), 1.0 / static_cast<double>(curves.heads()));
  swap(shares, ShareLoss(curves, targets), {step, step, kInfinity});
  const double sum = std::accumulate(shares.begin(), shares.end(), 0.0);
  for (double& share : shares) share /= sum;
  return shares;
}

std::vector<double> influence_shares(const InfluenceCurves& curves) {
  constexpr double kTargets[] = {0.01, 0.02, 0.05, 0.1};  // solver.py: ratio-agnostic
  return swap_shares(curves, kTargets);
}

std::vector<double> swap_ratios(const InfluenceCurves& curves, double target, double step) {
  check(curves, step);
  const double most = curves.ratios.back();
  std::vector<double> ratios(curves.heads(), std::min(target, most));
  const auto loss = [&](size_t head, double ratio) { return curves.loss(head, ratio); };
  swap(ratios, loss, {step, 0, most});
  return ratios;
}

std::vector<double> greedy_ratios(const InfluenceCurves& curves, double target, double step) {
  check(curves, step);
  const Limits limits{step, 0, curves.ratios.back()};
  std::vector<double> ratios(curves.heads(), 0.0);
  const auto loss = [&](size_t head, double ratio) { return curves.loss(head, ratio); };
  while (mean_of(ratios) < target) {
    const size_t head = best_recipient(ratios, loss, limits).first;
    if (head == ratios.size()) break;  // all have what was measured at most
    ratios[head] = std::min(ratios[head] + step, limits.most);
  }
  return ratios;
}

std::vector<double> cap_shares(std::span<const double> shares, double most) {
  require(most * static_cast<double>(shares.size()) >= 1 - 1e-9, Kind::config,
          "{} heads may have {} each, less than all: need >= {}", shares.size(), most,
          1 / static_cast<double>(shares.size()));
  std::vector<double> capped(shares.begin(), shares.end());
  std::vector<bool> is_full(shares.size());
  for (size_t round = 0; round < shares.size(); ++round) {  // each one fills a head
    double excess = 0, below = 0;
    size_t open = 0;
    for (size_t h = 0; h < capped.size(); ++h) {
      if (capped[h] > most) {
        excess += capped[h] - most;
        capped[h] = most;
        is_full[h] = true;
      }
      if (!is_full[h]) below += capped[h], ++open;
    }
    if (excess <= 0 || open == 0) break;
    for (size_t h = 0; h < capped.size(); ++h) {
      // Heads without any share divide the excess evenly.
      const double part = below > 0 ? capped[h] / below : 1 / static_cast<double>(open);
      if (!is_full[h]) capped[h] += excess * part;
    }
  }
  return capped;
}

}  // namespace kvcal
