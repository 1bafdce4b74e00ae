// SPDX-License-Identifier: Apache-2.0
// Colours of plots and page, in one table: light and dark values, what is drawn in which. Figures
// are drawn with the light values; on the page these become CSS variables (svg.hpp).
#pragma once

#include <map>
#include <span>
#include <string>
#include <string_view>
#include <vector>

namespace kvcal::report {

/// A colour of the page. `name` is its CSS variable, without the dashes.
struct Colour {
  std::string_view name, light, dark;  ///< "#rrggbb"; no two colours have the same light value
};

extern const Colour kPaper, kInk, kQuiet, kFaint, kGrid;

/// All colours, as the page declares them.
std::span<const Colour* const> page_colours();

/// How a series is drawn, in every plot.
struct Style {
  const Colour* colour = &kInk;
  int point = 7;  ///< gnuplot's point type
  int dash = 1;   ///< gnuplot's dash type
};

/// One style for each name, in order of first appearance; the same in every plot. Seven colours
/// that colour-blind readers can tell apart; from the eighth series on they come again, dashed and
/// with other points. Controls (full, random) are grey wherever they appear and take no colour.
class StyleBook {
 public:
  explicit StyleBook(std::span<const std::string> names);
  Style of(const std::string& name) const;

 private:
  std::map<std::string, Style> styles_;
};

/// A place on the colour scale of heatmaps, 0 .. 1 (clamped); equal in light and dark.
std::string shade(double value);
/// Of text that stands on that shade.
std::string_view ink_on_shade(double value);

}  // namespace kvcal::report
