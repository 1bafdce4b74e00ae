// SPDX-License-Identifier: Apache-2.0
#include "report/plot/curves.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>

#include "report/plot/gnuplot.hpp"
#include "report/plot/labels.hpp"
#include "report/text/escape.hpp"

namespace kvcal::report {
namespace {

constexpr int kCurvesWidth = 354, kCurvesHeight = 290;  // inside the axes, CSS pixels
constexpr int kLeft = 72, kCurvesAround = 84;           // room beside and above and below them
constexpr size_t kUsualLabel = 19, kLongestLabel = 32;  // characters

Range x_range(const CurveChart& chart) {
  Range range;
  for (const auto& curve : chart.curves) {
    for (const auto& point : curve.points) range.add(point.x);
  }
  if (chart.x_scale == Scale::log) return {range.low / 1.12, range.high * 1.03};
  const double margin = std::max(0.02 * (range.high - range.low), 0.2);
  return {range.low - margin, range.high + margin};
}

Range y_range(const CurveChart& chart) {
  Range range;
  if (chart.reference) range.add(chart.reference->y);
  for (const auto& curve : chart.curves) {
    for (const auto& point : curve.points)
      range.add(point.y), range.add(point.low), range.add(point.high);
  }
  if (chart.y_scale == Scale::log) return {range.low / 1.3, range.high * 1.3};
  return {0, 1.02 * chart.y_limit.value_or(round_up(range.high))};  // a line on the rim is seen
}

/// A logarithmic axis can show no zero.
bool is_shown(const CurveChart& chart, const CurvePoint& point) {
  return std::isfinite(point.x) && std::isfinite(point.y) &&
         (chart.y_scale == Scale::linear || point.y > 0) &&
         (chart.x_scale == Scale::linear || point.x > 0);
}

CurveChart shown_part(const CurveChart& chart) {
  CurveChart shown = chart;
  for (auto& curve : shown.curves) {
    std::erase_if(curve.points, [&](const auto& point) { return !is_shown(chart, point); });
    for (auto& point : curve.points) {
      if (chart.y_scale == Scale::log && !(point.low > 0)) point.low = point.y;
    }
  }
  std::erase_if(shown.curves, [](const auto& curve) { return curve.points.empty(); });
  return shown;
}

std::string ticks(const char* axis, const Range& range) {
  std::string text;
  for (double tick : round_ticks(range.low, range.high)) {
    text += fmt::format("{}'{:.6g}' {:.8g}", text.empty() ? "" : ", ", tick, tick);
  }
  return fmt::format("set logscale {0}\nset {0}tics ({1})\n", axis, text);
}

std::string axes(const CurveChart& chart, const Range& x, const Range& y, int right) {
  const double width = kLeft + kCurvesWidth + right;
  std::string text = fmt::format(
      "set lmargin at screen {:.5f}\nset rmargin at screen {:.5f}\n"
      "set xrange [{:.8g}:{:.8g}]\nset yrange [{:.8g}:{:.8g}]\n",
      kLeft / width, (kLeft + kCurvesWidth) / width, x.low, x.high, y.low, y.high);
  text += fmt::format("set tmargin {}\nset bmargin 3.2\n", chart.title.empty() ? 1 : 2.2);
  text += fmt::format("set xtics offset 0,0.3\nset xlabel {} tc rgb '{}' offset 0,0.6\n",
                      gnuplot_text(chart.x_label), kQuiet.light);
  text += fmt::format("set ylabel {} tc rgb '{}' offset 0.5,0\n", gnuplot_text(chart.y_label),
                      kQuiet.light);
  text += "set format '%g'\n";
  if (chart.x_scale == Scale::log) text += ticks("x", x);
  if (chart.y_scale == Scale::log) text += ticks("y", y);
  if (!chart.title.empty()) {
    text += fmt::format("set label 99 {} at graph 0, graph 1 offset 0,0.9 left tc rgb '{}'\n",
                        gnuplot_text(shorten(chart.title, 70)), kInk.light);
  }
  return text;
}

/// Data and plot elements of all curves: bands below, then lines, then names.
class Drawing {
 public:
  void add_band(const Curve& curve, size_t index) {
    data_ += fmt::format("$curve{} << EOD\n", index);
    for (const auto& point : curve.points) {
      // Without an interval the band is as high as the line.
      data_ += fmt::format("{:.10g} {:.10g} {:.10g} {:.10g}\n", point.x, point.y,
                           std::isfinite(point.low) ? point.low : point.y,
                           std::isfinite(point.high) ? point.high : point.y);
    }
    data_ += "EOD\n";
    add(fmt::format("$curve{} using 1:3:4 with filledcurves fc rgb '{}'", index,
                    curve.style.colour->light),
        curve.name);
  }

  void add_line(const Curve& curve, size_t index) {
    const auto& style = curve.style;
    add(fmt::format("$curve{} using 1:2 with linespoints lw 2 dt {} pt {} ps 0.65 lc rgb '{}'",
                    index, style.dash, style.point, style.colour->light),
        curve.name);
  }

  /// @param y  on the right edge, x = `edge`
  void add_name(const std::string& name, const Colour& colour, double edge, double y) {
    add(fmt::format("$one using ({:.8g}):({:.8g}):({}) with labels left offset 2.2,0 tc rgb '{}'",
                    edge, y, gnuplot_text(shorten(name, kLongestLabel)), colour.light),
        name);
  }

  void add(const std::string& element, const std::string& of_series) {
    elements_ += fmt::format("{}{} notitle", elements_.empty() ? "" : ", \\\n  ", element);
    series_.push_back(of_series);
  }

  std::string script() const {
    return fmt::format("$one << EOD\n0\nEOD\n{}plot {}\n", data_, elements_);
  }
  const std::vector<std::string>& series() const { return series_; }

 private:
  std::string data_, elements_;
  std::vector<std::string> series_;
};

struct EndLabel {
  std::string name;
  const Colour* colour;
  double x, y;  ///< where the curve ends
};

std::vector<EndLabel> end_labels(const CurveChart& chart, const Range& x) {
  std::vector<EndLabel> labels;
  for (const auto& curve : chart.curves) {
    labels.push_back(
        {curve.name, curve.style.colour, curve.points.back().x, curve.points.back().y});
  }
  if (chart.reference)
    labels.push_back({chart.reference->name, &kQuiet, x.high, chart.reference->y});
  return labels;
}

/// Names beside the plot, with a hairline to the end of the curve. @return the hairlines
std::string label_ends(const CurveChart& chart, const Range& x, const Range& y, int height,
                       Drawing& drawing) {
  const auto labels = end_labels(chart, x);
  std::vector<double> wanted;
  for (const auto& label : labels) wanted.push_back(height * y.place_of(label.y, chart.y_scale));
  const auto places = spread_labels(wanted, kLineHeight, height);
  std::string hairlines;
  for (size_t i = 0; i < labels.size(); ++i) {
    const double place = std::clamp(places[i] / height, 0.0, 1.0);
    drawing.add_name(labels[i].name, *labels[i].colour, x.high, y.value_at(place, chart.y_scale));
    hairlines += fmt::format(
        "set arrow from first {:.8g}, first {:.8g} to graph 1.03, graph {:.5f} nohead back lw 0.6 "
        "lc rgb '{}'\n",
        labels[i].x, labels[i].y, place, labels[i].colour->light);
  }
  return hairlines;
}

}  // namespace

std::optional<Figure> draw_curves(const CurveChart& chart) {
  const CurveChart shown = shown_part(chart);
  if (shown.curves.empty()) return std::nullopt;
  const Range x = x_range(shown), y = y_range(shown);
  size_t longest = kUsualLabel;  // plots side by side are equally wide, if they can be
  for (const auto& curve : shown.curves) longest = std::max(longest, width_of(curve.name));
  const int right = 34 + kCharacterWidth * static_cast<int>(std::min(longest, kLongestLabel));
  const int height =
      std::max(kCurvesHeight, kLineHeight * static_cast<int>(shown.curves.size() + 1));

  Drawing drawing;
  for (size_t i = 0; i < shown.curves.size(); ++i) drawing.add_band(shown.curves[i], i);
  if (shown.reference) {
    drawing.add(
        fmt::format("{:.8g} with lines lw 1.2 dt 2 lc rgb '{}'", shown.reference->y, kQuiet.light),
        shown.reference->name);
  }
  for (size_t i = 0; i < shown.curves.size(); ++i) drawing.add_line(shown.curves[i], i);
  const std::string hairlines = label_ends(shown, x, y, height, drawing);

  Figure figure;
  figure.name = chart.name, figure.alt = chart.alt;
  figure.width = kLeft + kCurvesWidth + right;
  figure.height = kCurvesAround + height;
  figure.script = chart_preface() + axes(shown, x, y, right) + hairlines + drawing.script();
  figure.series = drawing.series();
  return figure;
}

}  // namespace kvcal::report
