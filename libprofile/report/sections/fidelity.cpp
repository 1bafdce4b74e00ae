// SPDX-License-Identifier: Apache-2.0
#include <fmt/format.h>

#include <cmath>

#include "report/panel.hpp"
#include "report/section.hpp"
#include "report/spread.hpp"

namespace kvcal {
namespace {

using namespace report;

constexpr double kMebibyte = 1024.0 * 1024.0;

bool is_measured(const Panel& panel) {
  for (const auto* cell : panel.variants) {
    if (cell->kl) return true;
  }
  return false;
}

std::vector<Curve> curves(const ReportData& data, const Panel& panel,
                          std::optional<double> Cell::*mean, double SampleRecord::*column) {
  return curves_of(panel, data.styles, [&](const Cell& cell) {
    const Interval interval = spread_of(data, cell, column);
    return CurvePoint{cell.kept_bytes / kMebibyte, (cell.*mean).value_or(std::nan("")),
                      interval.low, interval.high};
  });
}

CurveChart chart_of(const char* what, const Panel& panel) {
  CurveChart chart;
  chart.name = figure_name(what, panel);
  chart.title = fmt::format("{}   (n = {})", panel.title(), panel.samples());
  chart.x_label = "kept KV cache (MiB a prompt, log scale)";
  return chart;
}

Section make(const ReportData& data) {
  Section section;
  for (const auto& panel : panels_of(data.cells)) {
    if (!is_measured(panel)) continue;
    CurveChart kl = chart_of("kl", panel);
    kl.alt = "KL divergence from the full cache versus kept bytes, " + panel.title();
    kl.y_label = "KL from the full cache (nats, log scale)";
    kl.y_scale = Scale::log;
    kl.curves = curves(data, panel, &Cell::kl, &SampleRecord::kl);
    CurveChart top = chart_of("top1", panel);
    top.alt = "top-1 agreement with the full cache versus kept bytes, " + panel.title();
    top.y_label = "share of equal most likely tokens";
    top.y_limit = 1;
    top.curves = curves(data, panel, &Cell::top1_agreement, &SampleRecord::top1_agreement);
    section.add("<div class=\"pair\">\n");
    section.add(draw_curves(kl));
    section.add(draw_curves(top));
    section.add("</div>\n");
  }
  return section;
}

}  // namespace

extern const SectionInfo section_fidelity = {
    "fidelity",
    40,
    "Fidelity to the full cache",
    "How far the next-token distribution moves along the full cache's own answer, whatever the "
    "metric "
    "says of it. Lower is better on the left, higher on the right; these part methods that a "
    "saturated "
    "score cannot part.",
    "Fidelity (KL, top-1) was not measured (<code>--no-fidelity</code>).",
    make};

}  // namespace kvcal
