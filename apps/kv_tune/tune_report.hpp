// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <string>
#include <vector>

#include "kvcal/profile/tune.hpp"

namespace kvcal {

/// What the search in one space found.
struct TunedSpace {
  std::string name;
  std::string compared_with;
  SearchResult search;
  std::vector<Method> contenders;  ///< that ran on the held-out prompts, the chosen one first
  std::vector<HeldOutRow> rows;
  int64_t tuned_on = 0, held_out = 0;  ///< prompts
};

std::string tuned_as_table(const std::vector<TunedSpace>& spaces, const std::string& profile);
std::string tuned_as_json(const std::vector<TunedSpace>& spaces);

}  // namespace kvcal
