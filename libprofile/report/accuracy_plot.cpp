// SPDX-License-Identifier: Apache-2.0
#include "kvcal/profile/accuracy_plot.hpp"

#include <algorithm>

#include "kvcal/compress/error.hpp"
#include "report/accuracy_chart.hpp"
#include "report/plot/gnuplot.hpp"

namespace kvcal {
namespace {

report::Figure accuracy_figure(const std::vector<Cell>& cells) {
  std::vector<std::string> methods;
  for (const auto& cell : cells) methods.push_back(cell.method);
  const report::StyleBook styles(methods);
  std::vector<report::Figure> figures;
  for (const auto& panel : report::panels_of(cells)) {
    if (auto figure = report::draw_curves(report::accuracy_chart(panel, styles))) {
      figures.push_back(*std::move(figure));
    }
  }
  return report::stack(figures);
}

}  // namespace

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
