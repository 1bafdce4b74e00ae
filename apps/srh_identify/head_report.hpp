// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <map>
#include <string>
#include <vector>

#include "kvcal/profile/profile.hpp"
#include "srh_identify/identification.hpp"

namespace kvcal {

/// What a finished run knows.
struct HeadRun {
  int64_t trials = 0;
  int64_t without_span = 0;  ///< trials whose answer was not found again in the prompt's tokens
  int64_t passed = 0;        ///< trials that were answered and so count
  std::map<std::string, HeadScores> scores;  ///< by kind; empty while none has passed
  std::vector<int64_t> needle_of_prompt;     ///< [passed]
  /// By what prompts can be parted ("length", ..): [passed] the part of each.
  std::map<std::string, std::vector<std::string>> groups;
  std::vector<PromptDigest> prompts;
};

std::string heads_as_table(const IdentifyFlags& flags, const HeadRun& run);
std::string heads_as_json(const IdentifyFlags& flags, const HeadRun& run);

}  // namespace kvcal
