// SPDX-License-Identifier: Apache-2.0
// Flags of kv-report, and what it does with them.
#pragma once

#include <CLI/CLI.hpp>
#include <string>
#include <vector>

namespace kvcal {

struct ReportFlags {
  std::vector<std::string> results;
  std::string profile, output;
  int64_t samples = 4;
  bool is_force = false, is_quiet = false;
};

void add_report_flags(CLI::App& app, ReportFlags& flags);

/// @return  an exit code
int report(const ReportFlags& flags);

}  // namespace kvcal
