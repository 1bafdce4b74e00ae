// SPDX-License-Identifier: Apache-2.0
// Where two profiles differ, part by part, and how far they agree where both have it.
#pragma once

#include <string>
#include <vector>

#include "kvcal/profile/profile.hpp"

namespace kvcal {

struct ProfileDifference {
  std::string part;           ///< e.g. "heads semantic"
  std::string first, second;  ///< what each profile has, short; "-": nothing
  std::string agreement;      ///< e.g. "Spearman 0.981, top 10 share 9"; may be empty
  /// What methods and merges use; else only how the file was made and what the model is called.
  bool is_content = true;
};

/// Empty: equal in everything. Content first.
std::vector<ProfileDifference> differences(const Profile& a, const Profile& b);

}  // namespace kvcal
