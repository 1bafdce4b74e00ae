// SPDX-License-Identifier: Apache-2.0
// Drawn on a plane of pixels, not on gnuplot's axes: each square and each name has its place.
#include "report/plot/heatmap.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>

#include "report/plot/gnuplot.hpp"
#include "report/plot/labels.hpp"
#include "report/plot/theme.hpp"
#include "report/text/escape.hpp"

namespace kvcal::report {
namespace {

constexpr int kMaxWidth = 860;         // of a figure, CSS pixels
constexpr int kLine = 17;              // height of text
constexpr int kTitle = 24, kGap = 22;  // above a map; between maps
constexpr int kScaleHeight = 58, kScaleWidth = 200, kScaleSteps = 40;

/// Positions in pixels from the top left corner.
class Plane {
 public:
  void square(double x, double y, double width, double height, const std::string& colour) {
    squares_ += fmt::format("{:.2f} {:.2f} {:.2f} {:.2f} {:.2f} {:.2f} 0x{}\n", x + width / 2,
                            y + height / 2, x, x + width, y, y + height, colour.substr(1));
  }
  void ring(double x, double y, double width, double height) {
    rings_ += fmt::format(
        "set object rectangle from {:.2f},{:.2f} to {:.2f},{:.2f} front fs empty border lc rgb "
        "'{}' lw 2\n",
        x + 1.5, y + 1.5, x + width - 1.5, y + height - 1.5, kRing);
  }
  void text(double x, double y, const char* alignment, std::string_view colour,
            const std::string& text, const char* font = "") {
    labels_ += fmt::format("set label {} at {:.2f},{:.2f} {} front tc rgb '{}'{}\n",
                           gnuplot_text(text), x, y, alignment, colour, font);
  }
  void next_series(const std::string& name) {
    if (!squares_.empty()) close_series();
    series_.push_back(name);
  }
  Figure figure(int width, int height) {
    close_series();
    Figure figure;
    figure.width = width, figure.height = height;
    figure.series = series_;
    figure.script = fmt::format(
        "reset\nset lmargin at screen 0\nset rmargin at screen 1\nset tmargin at screen 1\n"
        "set bmargin at screen 0\nset xrange [0:{}]\nset yrange [{}:0]\nunset border\nunset tics\n"
        "unset key\nset style fill solid noborder\n{}{}{}plot {}\n",
        width, height, labels_, rings_, data_, elements_);
    return figure;
  }

 private:
  static constexpr std::string_view kRing = "#ff2d55";  // stands out from every shade

  void close_series() {
    const size_t index = series_.size() - 1;
    data_ += fmt::format("$map{} << EOD\n{}EOD\n", index, squares_);
    elements_ += fmt::format("{}$map{} using 1:2:3:4:5:6:7 with boxxyerror lc rgb variable notitle",
                             index > 0 ? ", \\\n  " : "", index);
    squares_.clear();
  }

  std::string squares_, labels_, rings_, data_, elements_;
  std::vector<std::string> series_;
};

struct Layout {
  int left = 0;  ///< room for the names of rows
  int map_width = 0, map_height = 0;
  int across = 1;  ///< maps in a row
};

Layout lay_out(const HeatmapChart& chart) {
  Layout layout;
  size_t longest_row = 0, longest_title = 0;
  for (const auto& row : chart.rows) longest_row = std::max(longest_row, width_of(row));
  for (const auto& map : chart.maps) longest_title = std::max(longest_title, width_of(map.title));
  layout.left = 12 + kCharacterWidth * static_cast<int>(longest_row) + kLine;
  const int squares = chart.square_width * static_cast<int>(chart.columns.size());
  layout.map_width = std::max(squares, kCharacterWidth * static_cast<int>(longest_title)) + kGap;
  layout.map_height =
      kTitle + chart.square_height * static_cast<int>(chart.rows.size()) + kLine + 10;
  layout.across = std::clamp((kMaxWidth - layout.left) / layout.map_width, 1,
                             std::max(1, static_cast<int>(chart.maps.size())));
  return layout;
}

double place_on_scale(const HeatmapChart& chart, double value) {
  return (value - chart.low) / (chart.high - chart.low);
}

void draw_squares(Plane& plane, const HeatmapChart& chart, const Heatmap& map, double left,
                  double top) {
  const int w = chart.square_width, h = chart.square_height;
  for (size_t i = 0; i < map.values.size(); ++i) {
    if (std::isnan(map.values[i])) continue;
    const double x = left + w * static_cast<double>(i % chart.columns.size());
    const double y = top + h * static_cast<double>(i / chart.columns.size());
    const double place = place_on_scale(chart, map.values[i]);
    plane.square(x, y, w - 1, h - 1, shade(place));
    if (!map.is_marked.empty() && map.is_marked[i]) plane.ring(x, y, w - 1, h - 1);
    if (chart.has_numbers) {
      plane.text(x + w / 2.0, y + h / 2.0, "center", ink_on_shade(place),
                 fmt::format("{:.2f}", map.values[i]), " font ',11'");
    }
  }
}

/// Every n-th name, so that none touches the next.
size_t stride(const std::vector<std::string>& names, int room, int needed_for_one) {
  size_t longest = 1;
  for (const auto& name : names) longest = std::max(longest, width_of(name));
  const int need =
      needed_for_one > 0 ? needed_for_one : kCharacterWidth * static_cast<int>(longest + 1);
  return static_cast<size_t>(std::max(1, (need + room - 1) / room));
}

void name_axes(Plane& plane, const HeatmapChart& chart, double left, double top, bool has_rows) {
  const int w = chart.square_width, h = chart.square_height;
  const double bottom = top + h * static_cast<double>(chart.rows.size());
  for (size_t c = 0; c < chart.columns.size(); c += stride(chart.columns, w, 0)) {
    plane.text(left + w * (static_cast<double>(c) + 0.5), bottom + 10, "center", kQuiet.light,
               chart.columns[c], " font ',11'");
  }
  if (!has_rows) return;
  for (size_t r = 0; r < chart.rows.size(); r += stride(chart.rows, h, 13)) {
    plane.text(left - 8, top + h * (static_cast<double>(r) + 0.5), "right", kQuiet.light,
               chart.rows[r], " font ',11'");
  }
}

std::string scale_end(double value) {
  return fmt::format("{:.3g}", value);
}

/// Of the colour scale: its ends and its name stand below it, none touching the next.
int scale_width(const HeatmapChart& chart) {
  const size_t end = std::max(width_of(scale_end(chart.low)), width_of(scale_end(chart.high)));
  const size_t letters = width_of(chart.scale_label) + 2 * (end + 1);
  constexpr int kWideLetter = 9;  // text that may not touch its neighbour
  return std::max(kScaleWidth, kWideLetter * static_cast<int>(letters));
}

/// Colour scale with its ends, and what the axes are.
void explain(Plane& plane, const HeatmapChart& chart, double left, double top, int width) {
  const double scale = scale_width(chart);
  for (int i = 0; i < kScaleSteps; ++i) {
    plane.square(left + i * scale / kScaleSteps, top, scale / kScaleSteps, 10,
                 shade((i + 0.5) / kScaleSteps));
  }
  plane.text(left, top + 20, "left", kQuiet.light, scale_end(chart.low), " font ',11'");
  plane.text(left + scale, top + 20, "right", kQuiet.light, scale_end(chart.high), " font ',11'");
  plane.text(left + scale / 2, top + 20, "center", kQuiet.light, chart.scale_label, " font ',11'");
  plane.text(width - 10, top + 5, "right", kQuiet.light, "down: " + chart.row_label, " font ',11'");
  plane.text(width - 10, top + 20, "right", kQuiet.light, "across: " + chart.column_label,
             " font ',11'");
}

}  // namespace

Figure draw_heatmaps(const HeatmapChart& chart) {
  const Layout layout = lay_out(chart);
  Plane plane;
  const auto maps = static_cast<int>(chart.maps.size());
  for (int i = 0; i < maps; ++i) {
    const auto& map = chart.maps[static_cast<size_t>(i)];
    const double left = layout.left + layout.map_width * (i % layout.across);
    const double top = kTitle + layout.map_height * (i / layout.across);
    plane.next_series(map.series);
    plane.text(left, top - 11, "left", kInk.light, map.title);
    draw_squares(plane, chart, map, left, top);
    name_axes(plane, chart, left, top, i % layout.across == 0);
  }
  const int lines = (maps + layout.across - 1) / layout.across;
  const int width =
      std::max(layout.left + layout.map_width * layout.across, 2 * scale_width(chart) + 60);
  const int height = layout.map_height * lines + kScaleHeight;
  plane.next_series("");
  explain(plane, chart, layout.left, layout.map_height * lines + 16, width);
  Figure figure = plane.figure(width, height);
  figure.name = chart.name, figure.alt = chart.alt;
  return figure;
}

}  // namespace kvcal::report
