// SPDX-License-Identifier: Apache-2.0
#include "report/panel.hpp"

#include <fmt/format.h>

#include <algorithm>

#include "report/text/escape.hpp"

namespace kvcal::report {

std::string Panel::title() const {
  return task + ", " + visibility;
}

int64_t Panel::samples() const {
  int64_t most = full != nullptr ? full->n : 0;
  for (const auto* cell : variants) most = std::max(most, cell->n);
  for (const auto* cell : masked) most = std::max(most, cell->n);
  return most;
}

bool is_masked(const std::string& mask) {
  return !mask.empty() && mask != "none";
}

std::vector<Panel> panels_of(const std::vector<Cell>& cells) {
  std::vector<Panel> panels;
  for (const auto& cell : cells) {
    auto panel = std::find_if(panels.begin(), panels.end(), [&](const Panel& p) {
      return p.task == cell.task && p.metric == cell.metric && p.visibility == cell.visibility;
    });
    if (panel == panels.end()) {
      panel = panels.insert(panel, {cell.task, cell.metric, cell.visibility, nullptr, {}, {}});
    }
    if (is_masked(cell.mask)) {
      panel->masked.push_back(&cell);
    } else if (cell.budget == "full") {
      panel->full = &cell;
    } else if (cell.n > 0) {
      panel->variants.push_back(&cell);
    }
  }
  return panels;
}

std::vector<Curve> curves_of(const Panel& panel, const StyleBook& styles,
                             const std::function<CurvePoint(const Cell&)>& point) {
  std::vector<Curve> curves;
  for (const auto* cell : panel.variants) {
    auto curve = std::find_if(curves.begin(), curves.end(),
                              [&](const Curve& c) { return c.name == cell->method; });
    if (curve == curves.end()) {
      curve = curves.insert(curve, {cell->method, styles.of(cell->method), {}});
    }
    curve->points.push_back(point(*cell));
  }
  for (auto& curve : curves) {
    std::stable_sort(curve.points.begin(), curve.points.end(),
                     [](const CurvePoint& a, const CurvePoint& b) { return a.x < b.x; });
  }
  return curves;
}

std::string figure_name(std::string_view section, const Panel& panel) {
  return fmt::format("{}-{}", section, slug(panel.task + " " + panel.visibility));
}

}  // namespace kvcal::report
