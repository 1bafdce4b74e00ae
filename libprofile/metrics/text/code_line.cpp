// SPDX-License-Identifier: Apache-2.0
#include "metrics/text/code_line.hpp"

#include <cmath>

#include "metrics/text/unicode.hpp"

namespace kvcal::text {

std::u32string code_line(std::string_view prediction) {
  const std::u32string text = code_points(prediction);
  const size_t begin = std::min(text.find_first_not_of(U'\n'), text.size());
  for (auto& line : split(std::u32string_view(text).substr(begin), U'\n')) {
    const bool has_comment =
        line.find_first_of(U"`#") != line.npos || line.find(U"//") != line.npos;
    if (!has_comment) return line;
  }
  return {};
}

double fuzzy_ratio(double ratio) {
  return std::nearbyint(100 * ratio) / 100;
}

}  // namespace kvcal::text
