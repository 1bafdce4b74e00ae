// SPDX-License-Identifier: Apache-2.0
// Curves with intervals as bands, each labelled at its end.
#pragma once

#include <limits>
#include <optional>
#include <string>
#include <vector>

#include "report/plot/axis.hpp"
#include "report/plot/figure.hpp"
#include "report/plot/theme.hpp"

namespace kvcal::report {

struct CurvePoint {
  double x = 0, y = 0;
  double low = std::numeric_limits<double>::quiet_NaN();  ///< NaN: no interval
  double high = std::numeric_limits<double>::quiet_NaN();
};

struct Curve {
  std::string name;
  Style style;
  std::vector<CurvePoint> points;  ///< ascending x
};

struct Reference {
  std::string name;
  double y = 0;
};

struct CurveChart {
  std::string name, alt;
  std::string title;  ///< drawn above; empty: none
  std::string x_label, y_label;
  Scale x_scale = Scale::log, y_scale = Scale::linear;
  /// Largest y of a linear axis, which starts at 0; nullopt: the next round number above the data.
  std::optional<double> y_limit;
  std::optional<Reference> reference;  ///< a dashed line across
  std::vector<Curve> curves;
};

/// nullopt: no point has a place on the axes (a logarithmic one has none for zero).
std::optional<Figure> draw_curves(const CurveChart& chart);

}  // namespace kvcal::report
