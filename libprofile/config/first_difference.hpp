// SPDX-License-Identifier: Apache-2.0
// Where two resolved configurations differ first, for a message about it.
#pragma once

#include <cstdint>
#include <optional>
#include <string>

namespace kvcal {

struct LineDifference {
  int64_t line = 0;    ///< from 1
  std::string before;  ///< "(nothing)" past the end
  std::string now;
};

/// std::nullopt where all lines are the same.
std::optional<LineDifference> first_difference(const std::string& before, const std::string& now);

}  // namespace kvcal
