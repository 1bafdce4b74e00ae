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

/// The curve over entries, from `least` on: losses between points are on a line, left of the first
/// point they are the first's.
std::vector<Point> points_from(const CostCurves& curves, size_t unit, double least, double tokens) {
  const auto& losses = curves.losses[unit];
  std::vector<Point> points;
  for (size_t i = 0; i < losses.size(); ++i) {
    const Point point{curves.shares[i] * tokens, losses[i]};
    if (point.entries > least) {
      if (points.empty()) {
        double loss = point.loss;
        if (i > 0) {
          const Point before{curves.shares[i - 1] * tokens, losses[i - 1]};
          loss = before.loss + slope(before, point) * (least - before.entries);
        }
        points.push_back({least, loss});
      }
      points.push_back(point);
    }
  }
  return points;
}

}  // namespace

std::vector<double> split_by_cost(const CostCurves& curves, std::span<const int64_t> least,
                                  int64_t tokens, int64_t total) {
  require(curves.losses.size() == least.size(), Kind::config,
          "the profile has cost curves of {} units, the model has {}", curves.losses.size(),
          least.size());
  std::vector<double> kept(least.begin(), least.end());
  double left = static_cast<double>(total) - std::accumulate(kept.begin(), kept.end(), 0.0);
  require(left >= 0, Kind::config,
          "the budget of {} entries is {} short of what every layer or KV head keeps in any case",
          total, -left);
  std::vector<Segment> segments;
  for (size_t unit = 0; unit < kept.size(); ++unit) {
    const auto hull =
        lower_hull(points_from(curves, unit, kept[unit], static_cast<double>(tokens)));
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
    const auto has_room = [&](double entries) { return entries < static_cast<double>(tokens); };
    const auto open = std::count_if(kept.begin(), kept.end(), has_room);
    require(open > 0, Kind::internal, "{} entries find no place", left);
    const double part = left / static_cast<double>(open);
    for (double& entries : kept) {
      if (!has_room(entries)) continue;
      const double taken = std::min(part, static_cast<double>(tokens) - entries);
      entries += taken;
      left -= taken;
    }
  }
  return kept;
}

std::vector<int64_t> entries_by_cost(const AllocationRequest& request,
                                     std::optional<CostCurves> ProfileFacts::*curves,
                                     std::vector<int64_t> least, int64_t min_tokens,
                                     std::string_view measure) {
  require_budget(request, min_tokens, "min_tokens");
  require(request.profile != nullptr && (request.profile->*curves).has_value(), Kind::config,
          "{0} needs the cost curves of a profile: run layer-budget --measure {0}", measure);
  for (auto& entries : least) entries = std::max(entries, min_tokens);
  const int64_t total = request.budget_tokens * static_cast<int64_t>(least.size());
  const auto wanted = split_by_cost(*(request.profile->*curves), least, request.tokens, total);
  return round_to_total(wanted, least, request.tokens, total);
}

}  // namespace kvcal
