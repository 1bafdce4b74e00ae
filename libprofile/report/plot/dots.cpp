// SPDX-License-Identifier: Apache-2.0
#include "report/plot/dots.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>

#include "report/plot/gnuplot.hpp"
#include "report/text/escape.hpp"

namespace kvcal::report {
namespace {

constexpr int kPlotWidth = 330, kRowHeight = 27, kAround = 88;  // CSS pixels
constexpr int kCharacter = 7, kValueWidth = 62;
constexpr size_t kLongestName = 34;

std::string axes(const DotChart& chart, double low, double high, int left, int width) {
  const auto rows = static_cast<double>(chart.rows.size());
  std::string names;
  for (size_t i = 0; i < chart.rows.size(); ++i) {
    names += fmt::format("{}{} {}", i > 0 ? ", " : "",
                         gnuplot_text(shorten(chart.rows[i].name, kLongestName)), i);
  }
  std::string text = fmt::format(
      "set lmargin at screen {:.5f}\nset rmargin at screen {:.5f}\nset tmargin {}\nset bmargin 3.2\n"
      "set xrange [{:.8g}:{:.8g}]\nset yrange [{}:-0.6]\nset ytics ({}) scale 0 textcolor rgb '{}'\n"
      "unset grid\nset grid xtics lt 1 lw 1 lc rgb '{}'\nset border 1\nset format x '%g'\n"
      "set xtics offset 0,0.3\nset xlabel {} tc rgb '{}' offset 0,0.6\n",
      static_cast<double>(left) / width, static_cast<double>(left + kPlotWidth) / width,
      chart.title.empty() ? 1 : 2.2, low, high, rows - 0.4, names, kInk.light, kGrid.light,
      gnuplot_text(chart.x_label), kQuiet.light);
  if (!chart.title.empty()) {
    text += fmt::format("set label 99 {} at screen {:.5f}, graph 1 offset 0,0.9 left tc rgb '{}'\n",
                        gnuplot_text(shorten(chart.title, 70)), 12.0 / width, kInk.light);
  }
  if (chart.reference) {
    text += fmt::format("set arrow from first {0:.8g}, graph 0 to first {0:.8g}, graph 1 nohead "
                        "back lw 1.2 dt 2 lc rgb '{1}'\n",
                        *chart.reference, kQuiet.light);
  }
  return text;
}

}  // namespace

Figure draw_dots(const DotChart& chart) {
  double low = chart.low, high = chart.high;
  size_t longest = 0;
  std::string data, elements;
  Figure figure;
  for (size_t i = 0; i < chart.rows.size(); ++i) {
    const auto& row = chart.rows[i];
    const bool has_interval = std::isfinite(row.low) && std::isfinite(row.high);
    const double from = has_interval ? row.low : row.value, to = has_interval ? row.high : row.value;
    low = std::min(low, from), high = std::max(high, to);
    longest = std::max(longest, std::min(width_of(row.name), kLongestName));
    data += fmt::format("$row{} << EOD\n{:.8g} {} {:.8g} {:.8g} {:.3f}\nEOD\n", i, row.value, i,
                        from, to, row.value);
    const auto colour = row.style.colour->light;
    elements += fmt::format(
        "{0}$row{1} using 1:2:3:4 with xerrorbars lw 3 pt {2} ps 0 lc rgb '{3}' notitle, \\\n"
        "  $row{1} using 1:2 with points pt {2} ps 1 lc rgb '{3}' notitle, \\\n"
        "  $row{1} using (x_right):2:(sprintf('%.3f', $1)) with labels left offset 1.2,0 "
        "tc rgb '{3}' notitle",
        i > 0 ? ", \\\n  " : "", i, row.style.point, colour);
    figure.series.insert(figure.series.end(), 3, row.series);
  }
  const int left = 26 + kCharacter * static_cast<int>(longest);
  figure.name = chart.name, figure.alt = chart.alt;
  figure.width = left + kPlotWidth + kValueWidth;
  figure.height = kAround + kRowHeight * static_cast<int>(chart.rows.size());
  figure.script = chart_preface() + axes(chart, low, high, left, figure.width) +
                  fmt::format("x_right = {:.8g}\n", high) + data + "plot " + elements + "\n";
  return figure;
}

}  // namespace kvcal::report
