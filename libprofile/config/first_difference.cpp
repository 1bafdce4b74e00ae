// SPDX-License-Identifier: Apache-2.0
#include "config/first_difference.hpp"

#include <sstream>

namespace kvcal {

std::optional<LineDifference> first_difference(const std::string& before, const std::string& now) {
  std::istringstream lines_before(before), lines_now(now);
  for (int64_t number = 1;; ++number) {
    std::string line_before, line_now;
    const bool has_before = static_cast<bool>(std::getline(lines_before, line_before));
    const bool has_now = static_cast<bool>(std::getline(lines_now, line_now));
    if (!has_before && !has_now) return std::nullopt;
    if (has_before && has_now && line_before == line_now) continue;
    return LineDifference{number, has_before ? line_before : "(nothing)",
                          has_now ? line_now : "(nothing)"};
  }
}

}  // namespace kvcal
