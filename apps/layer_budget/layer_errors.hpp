// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <string>
#include <vector>

#include "shared/flags.hpp"

namespace kvcal {

struct LayerBudgetFlags {
  SharedFlags shared;
  std::string profile;
  std::vector<std::string> tasks{"niah_calibration"};
  std::vector<std::string> task_params;
  std::string method;                // empty: the measure's own
  int64_t error_budget_tokens = 32;  // 24 selected + a window of 8: CompressKV's own measurement
  std::vector<int64_t> error_curve{16, 64, 128, 256, 512};
  std::vector<std::string> measures;  // empty: what the allocators need
  std::vector<double> shares{0.01, 0.02, 0.04, 0.08, 0.16, 0.4};
  std::string cost_method;   // empty: the measure's own
  double rest_share = 0.05;  // Attention Matching's own measurement
  std::vector<std::string> allocators{"uniform", "layer_error"};
  std::vector<int64_t> budgets{64, 128, 256, 512};
};

/// @return exit code
int measure_layer_budgets(const LayerBudgetFlags& flags, const CLI::App& app);

}  // namespace kvcal
