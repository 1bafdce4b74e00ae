// SPDX-License-Identifier: Apache-2.0
#include "kvcal/profile/accuracy_plot.hpp"

#include <fmt/format.h>

#include <algorithm>

#include "kvcal/compress/error.hpp"
#include "report/accuracy_charts.hpp"
#include "report/plot/gnuplot.hpp"

namespace kvcal {
namespace {

report::Figure accuracy_figure(const std::vector<Cell>& cells) {
  std::vector<std::string> methods;
  for (const auto& cell : cells) methods.push_back(cell.method);
  const report::StyleBook styles(methods);
  std::vector<report::Figure> figures;
  for (const auto& panel : report::panels_of(cells)) {
    if (panel.variants.empty()) continue;
    figures.push_back(report::draw_curves(report::accuracy_chart(panel, styles)));
  }
  return report::stack(figures);
}

}  // namespace

namespace report {

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

}  // namespace report

void require_plot_format(const std::filesystem::path& file) {
  const auto extension = file.extension();
  require(extension == ".svg" || extension == ".png", Kind::config,
          "--plot {}: need a name that ends in .svg or .png", file.string());
  report::require_gnuplot("--plot " + file.string());
}

void plot_accuracy(const std::vector<Cell>& cells, const std::filesystem::path& file) {
  require_plot_format(file);
  const auto is_point = [](const Cell& cell) {
    return cell.budget != "full" && cell.n > 0 && !report::is_masked(cell.mask);
  };
  require(std::any_of(cells.begin(), cells.end(), is_point), Kind::config,
          "--plot {}: no compressed variant to draw", file.string());
  report::draw_figure(accuracy_figure(cells), file);
}

}  // namespace kvcal
