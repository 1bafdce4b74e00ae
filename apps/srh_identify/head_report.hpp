// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <string>
#include <vector>

#include "kvcal/profile/profile.hpp"
#include "srh_identify/identification.hpp"

namespace kvcal {

/// What a finished run knows.
struct HeadRun {
  int64_t trials = 0;
  int64_t without_span = 0;  ///< trials whose answer was not found again in the prompt's tokens
  HeadScores semantic, traditional;
  std::vector<int64_t> needle_of_prompt;  ///< [semantic.count]
  std::vector<PromptDigest> prompts;
};

std::string heads_as_table(const IdentifyFlags& flags, const HeadRun& run);
std::string heads_as_json(const IdentifyFlags& flags, const HeadRun& run);

}  // namespace kvcal
