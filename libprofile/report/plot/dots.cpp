// SPDX-License-Identifier: Apache-2.0
#include "report/plot/dots.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>

#include "report/plot/axis.hpp"
#include "report/plot/gnuplot.hpp"
#include "report/plot/labels.hpp"
#include "report/text/escape.hpp"

namespace kvcal::report {
namespace {

constexpr int kDotsWidth = 330, kRowHeight = 27, kDotsAround = 88;  // CSS pixels
constexpr int kValueWidth = 62;
constexpr size_t kLongestName = 34;

std::string axes(const DotChart& chart, const Range& range, int left, int width) {
  const auto rows = static_cast<double>(chart.rows.size());
  std::string names;
  for (size_t i = 0; i < chart.rows.size(); ++i) {
    names += fmt::format("{}{} {}", i > 0 ? ", " : "",
                         gnuplot_tick(shorten(chart.rows[i].name, kLongestName)), i);
  }
  std::string text = fmt::format(
      "set lmargin at screen {:.5f}\nset rmargin at screen {:.5f}\nset tmargin {}\nset bmargin "
      "3.2\n"
      "set xrange [{:.8g}:{:.8g}]\nset yrange [{}:-0.6]\nset ytics ({}) scale 0 textcolor rgb "
      "'{}'\n"
      "unset grid\nset grid xtics lt 1 lw 1 lc rgb '{}'\nset border 1\nset format x '%g'\n"
      "set xtics offset 0,0.3\nset xlabel {} tc rgb '{}' offset 0,0.6\n",
      static_cast<double>(left) / width, static_cast<double>(left + kDotsWidth) / width,
      chart.title.empty() ? 1 : 2.2, range.low, range.high, rows - 0.4, names, kInk.light,
      kGrid.light, gnuplot_text(chart.x_label), kQuiet.light);
  if (!chart.title.empty()) {
    text += fmt::format("set label 99 {} at screen {:.5f}, graph 1 offset 0,0.9 left tc rgb '{}'\n",
                        gnuplot_text(shorten(chart.title, 70)), 12.0 / width, kInk.light);
  }
  if (chart.reference) {
    text += fmt::format(
        "set arrow from first {0:.8g}, graph 0 to first {0:.8g}, graph 1 nohead "
        "back lw 1.2 dt 2 lc rgb '{1}'\n",
        *chart.reference, kQuiet.light);
  }
  return text;
}

bool has_interval(const DotRow& row) {
  return std::isfinite(row.low) && std::isfinite(row.high);
}

/// `value row low high` in a block of its own.
std::string data_of(const DotRow& row, size_t index) {
  return fmt::format("$row{} << EOD\n{:.8g} {} {:.8g} {:.8g}\nEOD\n", index, row.value, index,
                     has_interval(row) ? row.low : row.value,
                     has_interval(row) ? row.high : row.value);
}

constexpr size_t kElements = 3;  // of a row

/// Interval, point, and the number at the right edge.
std::string elements_of(const DotRow& row, size_t index, const char* format) {
  return fmt::format(
      "{0}$row{1} using 1:2:3:4 with xerrorbars lw 3 pt {2} ps 0 lc rgb '{3}' notitle, \\\n"
      "  $row{1} using 1:2 with points pt {2} ps 1 lc rgb '{3}' notitle, \\\n"
      "  $row{1} using (x_right):2:(sprintf('{4}', $1)) with labels left offset 1.2,0 "
      "tc rgb '{3}' notitle",
      index > 0 ? ", \\\n  " : "", index, row.style.point, row.style.colour->light, format);
}

}  // namespace

std::optional<Figure> draw_dots(const DotChart& chart) {
  if (chart.rows.empty()) return std::nullopt;
  Range range{chart.low, chart.high};
  size_t longest = 0;
  std::string data, elements;
  Figure figure;
  for (size_t i = 0; i < chart.rows.size(); ++i) {
    const auto& row = chart.rows[i];
    range.add(row.value), range.add(row.low), range.add(row.high);
    longest = std::max(longest, std::min(width_of(row.name), kLongestName));
    data += data_of(row, i);
    elements += elements_of(row, i, chart.is_signed ? "%+.3f" : "%.3f");
    figure.series.insert(figure.series.end(), kElements, row.series);
  }
  const int left = 26 + kCharacterWidth * static_cast<int>(longest);
  figure.name = chart.name, figure.alt = chart.alt;
  figure.width = left + kDotsWidth + kValueWidth;
  figure.height = kDotsAround + kRowHeight * static_cast<int>(chart.rows.size());
  figure.script = fmt::format("{}{}x_right = {:.8g}\n{}plot {}\n", chart_preface(),
                              axes(chart, range, left, figure.width), range.high, data, elements);
  return figure;
}

}  // namespace kvcal::report
