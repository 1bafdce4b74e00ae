// SPDX-License-Identifier: Apache-2.0
#include "report/accuracy_chart.hpp"

#include <fmt/format.h>

namespace kvcal::report {

CurveChart accuracy_chart(const Panel& panel, const StyleBook& styles) {
  CurveChart chart;
  chart.name = figure_name("accuracy", panel);
  chart.title = fmt::format("{}   (n = {})", panel.title(), panel.samples());
  chart.alt = fmt::format("{} of {} versus kept share of the KV cache, by method", panel.metric,
                          panel.title());
  chart.x_label = "kept share of the KV cache (%, log scale)";
  chart.y_label = "mean " + panel.metric;
  chart.curves = curves_of(panel, styles, [](const Cell& cell) {
    return CurvePoint{100 * cell.budget_fraction, cell.score, cell.ci_low, cell.ci_high};
  });
  if (panel.full != nullptr) chart.reference = {"full cache", panel.full->score};
  return chart;
}

}  // namespace kvcal::report
