// SPDX-License-Identifier: Apache-2.0
#include <fmt/format.h>

#include "report/plot/curves.hpp"
#include "report/section.hpp"

namespace kvcal {
namespace {

using namespace report;

StyleBook styles_of(const auto& by_name) {
  std::vector<std::string> names;
  for (const auto& [name, value] : by_name) names.push_back(name);
  return StyleBook(names);
}

CurveChart chart_over_layers(std::string name, std::string alt, std::string y_label) {
  CurveChart chart;
  chart.name = std::move(name), chart.alt = std::move(alt), chart.y_label = std::move(y_label);
  chart.x_label = "layer";
  chart.x_scale = Scale::linear;
  return chart;
}

std::optional<Figure> draw_errors(const Profile& profile) {
  auto chart = chart_over_layers("layer-error", "Eviction error of each layer, by calibration task",
                                 "relative error of the attention output");
  const StyleBook styles = styles_of(profile.layer_errors);
  for (const auto& [dataset, errors] : profile.layer_errors) {
    chart.title +=
        fmt::format("{}{}: n = {} steps", chart.title.empty() ? "" : ", ", dataset, errors.count);
    Curve curve{dataset, styles.of(dataset), {}};
    for (size_t layer = 0; layer < errors.sum.size() && errors.count > 0; ++layer) {
      curve.points.push_back(
          {static_cast<double>(layer), errors.sum[layer] / static_cast<double>(errors.count)});
    }
    chart.curves.push_back(std::move(curve));
  }
  return draw_curves(chart);
}

/// Error of each layer at each budget that was measured.
std::optional<Figure> draw_error_curve(const std::string& dataset, const LayerErrors& errors,
                                       size_t number) {
  const size_t points = errors.curve_tokens.size();
  auto chart = chart_over_layers(fmt::format("layer-error-curve-{}", number),
                                 "Eviction error of each layer, by tokens kept",
                                 "relative error of the attention output");
  chart.title = fmt::format("{}, by tokens kept: n = {} steps", dataset, errors.count);
  std::vector<std::string> names;
  for (const int64_t tokens : errors.curve_tokens)
    names.push_back(fmt::format("{} tokens", tokens));
  const StyleBook styles(names);
  for (size_t point = 0; point < points && errors.count > 0; ++point) {
    Curve curve{names[point], styles.of(names[point]), {}};
    for (size_t layer = 0; layer < errors.sum.size(); ++layer) {
      const double sum = errors.curve[layer * points + point];
      curve.points.push_back({static_cast<double>(layer), sum / static_cast<double>(errors.count)});
    }
    chart.curves.push_back(std::move(curve));
  }
  return draw_curves(chart);
}

/// Mean over the KV heads of a layer.
std::vector<CurvePoint> points_of(const std::vector<int64_t>& kept, int64_t kv_heads) {
  std::vector<CurvePoint> points;
  for (size_t i = 0; i < kept.size(); ++i) {
    if (i % static_cast<size_t>(kv_heads) == 0)
      points.push_back({static_cast<double>(points.size()), 0});
    points.back().y += static_cast<double>(kept[i]) / static_cast<double>(kv_heads);
  }
  return points;
}

/// All allocators at one budget.
std::optional<Figure> draw_budgets(const Profile& profile, int64_t budget) {
  auto chart = chart_over_layers(fmt::format("layer-budgets-{}", budget),
                                 fmt::format("Entries of each layer at a budget of {}", budget),
                                 "entries a KV head (mean)");
  chart.title = fmt::format("budget {} tokens", budget);
  const StyleBook styles = styles_of(profile.budgets);
  for (const auto& [allocator, by_budget] : profile.budgets) {
    const auto kept = by_budget.find(budget);
    if (kept == by_budget.end()) continue;
    chart.curves.push_back(
        {allocator, styles.of(allocator), points_of(kept->second, profile.model.kv_heads)});
  }
  return draw_curves(chart);
}

std::vector<int64_t> budgets_of(const Profile& profile) {
  std::map<int64_t, bool> budgets;
  for (const auto& [allocator, by_budget] : profile.budgets) {
    for (const auto& [budget, kept] : by_budget) budgets[budget] = true;
  }
  std::vector<int64_t> sorted;
  for (const auto& [budget, is_there] : budgets) sorted.push_back(budget);
  return sorted;
}

Section make(const ReportData& data) {
  Section section;
  if (!data.profile) return section;
  const bool has_errors = !data.profile->layer_errors.empty();
  const auto budgets = budgets_of(*data.profile);
  if (!has_errors && budgets.empty()) return section;
  section.add("<div class=\"pair\">\n");
  if (has_errors) section.add(draw_errors(*data.profile));
  size_t number = 0;
  for (const auto& [dataset, errors] : data.profile->layer_errors) {
    if (!errors.curve_tokens.empty()) section.add(draw_error_curve(dataset, errors, ++number));
  }
  for (int64_t budget : budgets) section.add(draw_budgets(*data.profile, budget));
  section.add("</div>\n");
  return section;
}

}  // namespace

extern const SectionInfo section_layers = {
    "layers",
    80,
    "Layers",
    "What eviction costs each layer (the output of attention behind its projection, evicted "
    "against full), "
    "and the entries that allocators give it from that: layers with a larger error should get "
    "more.",
    "",
    make};

}  // namespace kvcal
