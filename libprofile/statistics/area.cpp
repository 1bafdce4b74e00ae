// SPDX-License-Identifier: Apache-2.0
#include "kvcal/profile/area.hpp"

#include <algorithm>
#include <cmath>
#include <limits>
#include <map>

#include "kvcal/compress/error.hpp"
#include "kvcal/profile/comparison.hpp"

namespace kvcal {
namespace {

/// One method's budgets, ascending in what they really keep.
struct Curve {
  std::vector<RecordGroup> budgets;  // of the samples that all of them compressed
  std::vector<double> log_shares;    // [budgets]
};

using Key = std::vector<std::string>;

Key panel_of(const SampleRecord& r) {
  return {r.task, r.metric, r.visibility};
}

/// Keeps the samples that are in all groups and compressed in all, in the order of the first.
void keep_common_samples(std::vector<RecordGroup>& groups) {
  std::map<std::string_view, size_t> seen;
  for (const auto& group : groups) {
    for (const auto* record : group) seen[record->sample] += counts(*record);
  }
  for (auto& group : groups) {
    std::erase_if(group, [&](const auto* record) { return seen[record->sample] < groups.size(); });
    std::sort(group.begin(), group.end(),
              [](const auto* a, const auto* b) { return a->sample < b->sample; });
  }
}

double log_share(const RecordGroup& group, const ModelIdentity& model) {
  double sum = 0;
  for (const auto* r : group) {
    const auto entries = static_cast<double>(r->prompt_tokens * model.layers * model.kv_heads);
    sum += static_cast<double>(r->kept_entries) / entries;
  }
  return std::log2(sum / static_cast<double>(group.size()));
}

/// Two budgets may keep the same entries (64 and 3% of like prompts): the first one stands.
Curve curve_of(std::vector<RecordGroup> groups, const ModelIdentity& model) {
  keep_common_samples(groups);
  Curve curve;
  if (groups.front().empty()) return curve;
  std::map<double, const RecordGroup*> ascending;
  for (const auto& group : groups) ascending.emplace(log_share(group, model), &group);
  for (const auto& [share, group] : ascending) {
    curve.log_shares.push_back(share);
    curve.budgets.push_back(*group);
  }
  return curve;
}

/// Each sample's own area: the interval of their mean is that of the area.
Pairs sample_areas(const Curve& curve, std::span<const double> weights, const RecordGroup& full) {
  std::map<std::string_view, double> full_scores;
  for (const auto* record : full) full_scores[record->sample] = record->score;
  Pairs pairs;
  RecordGroup paired;
  for (size_t i = 0; i < curve.budgets.front().size(); ++i) {
    const SampleRecord& sample = *curve.budgets.front()[i];
    double area = 0;
    for (size_t b = 0; b < weights.size(); ++b) area += weights[b] * curve.budgets[b][i]->score;
    const auto found = full_scores.find(sample.sample);
    paired.push_back(&sample);
    pairs.a.push_back(area);
    // Without a full cache there is a mean and no ratio.
    pairs.b.push_back(found == full_scores.end() ? Comparison::kNone : found->second);
  }
  pairs.clusters = document_clusters(paired);
  return pairs;
}

Area area_of(const Curve& curve, const Interval& range, const RecordGroup& full, uint64_t seed) {
  const SampleRecord& first = *curve.budgets.front().front();
  Area area;
  area.task = first.task, area.metric = first.metric;
  area.method = first.method, area.visibility = first.visibility;
  area.budgets = static_cast<int64_t>(curve.budgets.size());
  area.share_low = std::exp2(range.low), area.share_high = std::exp2(range.high);
  const auto weights = trapezoid_weights(curve.log_shares, range.low, range.high);
  const Pairs pairs = sample_areas(curve, weights, full);
  const Comparison relative = compare(pairs, {.seed = seed});
  const Interval interval = bootstrap_mean(pairs.a, pairs.clusters, 0.95, 2000, seed);
  area.n = relative.n;
  area.area = relative.mean_a;
  area.ci_low = if_number(interval.low), area.ci_high = if_number(interval.high);
  area.relative_to_full = if_number(relative.ratio);
  area.relative_ci_low = if_number(relative.ratio_interval.low);
  area.relative_ci_high = if_number(relative.ratio_interval.high);
  return area;
}

}  // namespace

std::vector<double> trapezoid_weights(std::span<const double> x, double low, double high) {
  require(x.size() >= 2 && x.front() <= low && low < high && high <= x.back(), Kind::internal,
          "area: the range {} .. {} is not inside {} points", low, high, x.size());
  std::vector<double> weights(x.size(), 0.0);
  for (size_t i = 0; i + 1 < x.size(); ++i) {
    const double begin = std::max(low, x[i]), end = std::min(high, x[i + 1]);
    if (end <= begin) continue;
    // A line's mean over a piece is its value in the middle of the piece.
    const double right = ((begin + end) / 2 - x[i]) / (x[i + 1] - x[i]);
    const double share = (end - begin) / (high - low);
    weights[i] += share * (1 - right);
    weights[i + 1] += share * right;
  }
  return weights;
}

std::vector<Area> areas(const Results& results, uint64_t seed) {
  std::map<Key, RecordGroup> full;                    // by panel
  std::map<Key, std::vector<RecordGroup>> of_method;  // by panel and method
  std::vector<Key> order;
  for (auto& group : group_by_variant(results.records)) {
    const SampleRecord& first = *group.front();
    if (is_full_cache(first)) full[panel_of(first)] = group;
    if (first.method == "full") continue;
    Key key = panel_of(first);
    key.push_back(first.method);
    auto& groups = of_method[key];
    if (groups.empty()) order.push_back(key);
    groups.push_back(std::move(group));
  }
  constexpr double kInfinity = std::numeric_limits<double>::infinity();
  std::vector<Curve> curves;
  std::map<Key, Interval> ranges;  // by panel
  for (const auto& key : order) {
    Curve curve = curve_of(std::move(of_method[key]), results.model);
    if (curve.budgets.size() < 2) continue;
    auto& range =
        ranges.try_emplace(panel_of(*curve.budgets[0][0]), Interval{-kInfinity, kInfinity})
            .first->second;
    range.low = std::max(range.low, curve.log_shares.front());
    range.high = std::min(range.high, curve.log_shares.back());
    curves.push_back(std::move(curve));
  }
  std::vector<Area> list;
  for (const auto& curve : curves) {
    const Key panel = panel_of(*curve.budgets[0][0]);
    const Interval& range = ranges.at(panel);
    if (range.low < range.high) list.push_back(area_of(curve, range, full[panel], seed));
  }
  return list;
}

}  // namespace kvcal
