// SPDX-License-Identifier: Apache-2.0
// Values with intervals, one row each, names on the left: for things that are no curve.
#pragma once

#include <limits>
#include <optional>
#include <string>
#include <vector>

#include "report/plot/figure.hpp"
#include "report/plot/theme.hpp"

namespace kvcal::report {

struct DotRow {
  std::string name;
  std::string series;  ///< for highlighting; may be the name
  Style style;
  double value = 0;
  double low = std::numeric_limits<double>::quiet_NaN();  ///< NaN: no interval
  double high = std::numeric_limits<double>::quiet_NaN();
};

struct DotChart {
  std::string name, alt, title, x_label;
  std::optional<double> reference;  ///< a dashed line from top to bottom
  double low = 0, high = 1;         ///< of the axis; widened to hold every interval
  bool is_signed = false;           ///< numbers are differences: written with their sign
  std::vector<DotRow> rows;         ///< from top to bottom
};

/// nullopt: no rows.
std::optional<Figure> draw_dots(const DotChart& chart);

}  // namespace kvcal::report
