// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <string>
#include <vector>

#include "kvcal/profile/tune.hpp"

namespace kvcal {

/// A method that was run on the held-out prompts, and why.
struct Contender {
  enum class Role { chosen, paper, control, ablation };
  Role role;
  std::string change;  ///< what it has other than the chosen one
  Method method;
};

/// What the search in one space found.
struct TunedSpace {
  std::string name;
  std::string compared_with;
  Choice from;  ///< the paper's values, on the axes that its scorer has too
  SearchResult search;
  std::vector<Contender> contenders;
  std::vector<HeldOutRow> rows;
  int64_t tuned_on = 0, held_out = 0;  ///< prompts
};

std::string tuned_as_table(const std::vector<TunedSpace>& spaces, const std::string& profile);
std::string tuned_as_json(const std::vector<TunedSpace>& spaces);

}  // namespace kvcal
