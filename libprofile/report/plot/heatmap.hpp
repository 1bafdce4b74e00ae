// SPDX-License-Identifier: Apache-2.0
// Heatmaps on one common colour scale, side by side.
#pragma once

#include <string>
#include <vector>

#include "report/plot/figure.hpp"

namespace kvcal::report {

struct Heatmap {
  std::string title;
  std::string series;           ///< for highlighting
  std::vector<double> values;   ///< [rows, columns], first row on top; NaN: nothing there
  std::vector<bool> is_marked;  ///< [rows, columns] or empty: a ring around the square
};

struct HeatmapChart {
  std::string name, alt;
  std::string row_label, column_label, scale_label;
  std::vector<std::string> rows, columns;     ///< names of all maps' rows and columns
  int square_width = 44, square_height = 26;  ///< CSS pixels
  bool has_numbers = true;                    ///< written into the squares, with two digits
  double low = 0, high = 1;                   ///< of the colour scale
  std::vector<Heatmap> maps;
};

Figure draw_heatmaps(const HeatmapChart& chart);

}  // namespace kvcal::report
