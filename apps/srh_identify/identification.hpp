// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <string>
#include <vector>

#include "kvcal/profile/identify.hpp"
#include "shared/flags.hpp"

namespace kvcal {

struct IdentifyFlags {
  SharedFlags shared;
  std::vector<std::string> kinds{std::begin(kHeadKinds), std::end(kHeadKinds)};
  std::vector<double> lengths{500, 1000, 2000};
  std::vector<double> depths{0.1, 0.5, 0.9};
  std::string haystack, needles;
  std::string protocol = "sound";
  int64_t needles_per_cell = 5;
  int64_t top = 10;
  double until_stable = 0;  ///< 0: all trials
};

/// @return exit code
int identify_heads(const IdentifyFlags& flags, const CLI::App& app);

}  // namespace kvcal
