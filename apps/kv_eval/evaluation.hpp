// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <string>
#include <vector>

#include "shared/flags.hpp"

namespace kvcal {

struct EvalFlags {
  SharedFlags shared;
  std::string profile;
  std::vector<std::string> tasks{"niah"};
  std::vector<std::string> task_params;
  std::vector<std::string> methods{"full", "snapkv"};
  std::string budgets = "128";
  std::vector<std::string> visibilities{"aware"};
  std::vector<std::string> masks;
  std::string memory;
  std::string dump_keep, plot;
  std::vector<std::string> gates;
  std::string baseline, shard;
  bool measures_latency = false;
  int64_t latency_tokens = 32, latency_repeats = 5;
  bool allows_leakage = false;
  bool skips_fidelity = false;
  bool is_list_methods = false, is_list_tasks = false;
};

/// @return exit code
int evaluate(const EvalFlags& flags, const CLI::App& app);

}  // namespace kvcal
