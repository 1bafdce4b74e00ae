// SPDX-License-Identifier: Apache-2.0
#include "cost_split.hpp"

#include <algorithm>
#include <numeric>

#include "budget_split.hpp"
#include "kvcal/compress/error.hpp"

namespace kvcal {
namespace {

struct Point {
  double entries, loss;
};

/// A straight piece of a hull: `entries` more save `saving` each.
struct Segment {
  double saving, entries;
  size_t unit;
};

double slope(const Point& a, const Point& b) {
  return (b.loss - a.loss) / (b.entries - a.entries);
}

/// Lower convex hull, left to right (Andrew's monotone chain).
std::vector<Point> lower_hull(const std::vector<Point>& points) {
  std::vector<Point> hull;
  for (const auto& point : points) {
    while (hull.size() >= 2 &&
           slope(hull[hull.size() - 2], hull.back()) >= slope(hull.back(), point)) {
      hull.pop_back();
    }
    hull.push_back(point);
  }
  return hull;
}

/// Loss on the lines between the points; left of the first one its own.
double loss_at(const std::vector<Point>& curve, double entries) {
  const auto right =
      std::lower_bound(curve.begin(), curve.end(), entries,
                       [](const Point& point, double wanted) { return point.entries < wanted; });
  if (right == curve.begin()) return curve.front().loss;
  if (right == curve.end()) return curve.back().loss;
  const Point& left = *(right - 1);
  return left.loss + slope(left, *right) * (entries - left.entries);
}

/// The curve over entries from `least` to `most`.
std::vector<Point> points_between(const CostCurves& curves, size_t unit, double least, double most,
                                  double tokens) {
  const auto& losses = curves.losses[unit];
  std::vector<Point> curve;
  for (size_t i = 0; i < losses.size(); ++i)
    curve.push_back({curves.shares[i] * tokens, losses[i]});
  std::vector<Point> points{{least, loss_at(curve, least)}};
  if (most <= least) return points;
  for (const auto& point : curve) {
    if (point.entries > least && point.entries < most) points.push_back(point);
  }
  points.push_back({most, loss_at(curve, most)});
  return points;
}

}  // namespace

std::vector<double> split_by_cost(const CostCurves& curves, std::span<const int64_t> least,
                                  int64_t most, int64_t tokens, int64_t total) {
  require(curves.losses.size() == least.size(), Kind::config,
          "the profile has cost curves of {} units, the model has {}", curves.losses.size(),
          least.size());
  std::vector<double> kept(least.begin(), least.end());
  double left = static_cast<double>(total) - std::accumulate(kept.begin(), kept.end(), 0.0);
  require(left >= 0, Kind::config,
          "the budget of {} entries is {} short of what every layer or KV head keeps in any case",
          total, -left);
  const auto limit = static_cast<double>(most);
  std::vector<Segment> segments;
  for (size_t unit = 0; unit < kept.size(); ++unit) {
    const auto hull =
        lower_hull(points_between(curves, unit, kept[unit], limit, static_cast<double>(tokens)));
    for (size_t i = 0; i + 1 < hull.size(); ++i) {
      const double saving = -slope(hull[i], hull[i + 1]);
      if (saving > 0) segments.push_back({saving, hull[i + 1].entries - hull[i].entries, unit});
    }
  }
  std::stable_sort(segments.begin(), segments.end(),
                   [](const Segment& a, const Segment& b) { return a.saving > b.saving; });
  for (const auto& segment : segments) {
    const double taken = std::min(left, segment.entries);
    kept[segment.unit] += taken;
    left -= taken;
  }
  // What saves nothing anywhere goes to all that have room, evenly.
  while (left > 1e-9) {
    const auto has_room = [&](double entries) { return entries < limit; };
    const auto open = std::count_if(kept.begin(), kept.end(), has_room);
    require(open > 0, Kind::config,
            "{} entries of the budget find no place where no layer or KV head keeps more than {}",
            left, most);
    const double part = left / static_cast<double>(open);
    for (double& entries : kept) {
      if (!has_room(entries)) continue;
      const double taken = std::min(part, limit - entries);
      entries += taken;
      left -= taken;
    }
  }
  return kept;
}

std::vector<int64_t> entries_by_cost(const AllocationRequest& request, const CostCurves& curves,
                                     std::vector<int64_t> least, const CostSplitParams& params) {
  require_budget(request, params.min_tokens, "min_tokens");
  require(params.max_ratio == 0 || params.max_ratio >= 1, Kind::config,
          "max_ratio = {}, need at least 1, or 0 for no limit", params.max_ratio);
  for (auto& entries : least) entries = std::max(entries, params.min_tokens);
  const int64_t total = request.budget_tokens * static_cast<int64_t>(least.size());
  const double limit = params.max_ratio * static_cast<double>(request.budget_tokens);
  const int64_t most = limit > 0 && limit < static_cast<double>(request.tokens)
                           ? static_cast<int64_t>(limit)
                           : request.tokens;
  const auto wanted = split_by_cost(curves, least, most, request.tokens, total);
  return round_to_total(wanted, least, most, total);
}

}  // namespace kvcal
