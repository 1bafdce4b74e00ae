// SPDX-License-Identifier: Apache-2.0
// From gnuplot's SVG to one that fits into a page: colours as CSS variables, ids that are unique on
// the page, series that can be found. Knows what gnuplot 5.4 and 6.0 write.
#pragma once

#include <filesystem>
#include <string>
#include <string_view>

#include "report/plot/figure.hpp"

namespace kvcal::report {

/// Leaves out gnuplot's empty groups, names series (data-series, tooltip) and the whole.
std::string tidy_svg(std::string_view gnuplot_output, const Figure& figure);
void tidy_svg_file(const std::filesystem::path& file, const Figure& figure);

/// For use inside HTML: no XML head, no background, no fixed size; every colour of the page as
/// `var(--name)`. @param tidied  what tidy_svg() gave
std::string inline_svg(std::string_view tidied, const Figure& figure);

}  // namespace kvcal::report
