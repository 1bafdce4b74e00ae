// SPDX-License-Identifier: Apache-2.0
// Figure: one plot as a gnuplot script without its terminal, so that it can be written as SVG and
// PNG alike. The charts (curves.hpp, dots.hpp, heatmap.hpp) make them.
#pragma once

#include <filesystem>
#include <span>
#include <string>
#include <vector>

namespace kvcal::report {

struct Figure {
  std::string name;           ///< stem of its files; slug() of what it shows
  std::string alt;            ///< the plot in one sentence, for those who cannot see it
  int width = 0, height = 0;  ///< CSS pixels
  std::string script;         ///< gnuplot
  /// By plot element, in order: the series it draws; empty: none. The page highlights by it.
  std::vector<std::string> series;
};

/// @param format  ".svg" or ".png" (twice the pixels)
std::string figure_script(const Figure& figure, const std::filesystem::path& file);

/// One file in the format of its extension.
/// @throws Error{input} gnuplot failed or the file cannot be written
void draw_figure(const Figure& figure, const std::filesystem::path& file);

/// `<name>.svg` and `<name>.png` of each, in one run of gnuplot.
/// @throws Error{input} as above
void draw_figures(std::span<const Figure> figures, const std::filesystem::path& folder);

/// Below each other, as one.
Figure stack(std::span<const Figure> figures);

/// Axes, grid and text as all charts have them.
std::string chart_preface();

}  // namespace kvcal::report
