// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <string>
#include <vector>

#include "shared/flags.hpp"

namespace kvcal {

struct TuneFlags {
  SharedFlags shared;
  std::string profile;
  std::vector<std::string> spaces{"compresskv", "snapkv"};
  std::vector<std::string> tasks{"niah_calibration"};
  std::vector<std::string> task_params;
  std::string budgets = "3%,6%";
  std::string visibility = "aware";
  double held_out = 0.4;
  int64_t random_points = 32;
  int64_t rounds = 3;
};

/// @return exit code
int tune(const TuneFlags& flags, const CLI::App& app);

}  // namespace kvcal
