// SPDX-License-Identifier: Apache-2.0
// --config FILE: flags in YAML, keys as the long flags with '_' for '-'; the command line wins.
#pragma once

#include <CLI/CLI.hpp>

namespace kvcal {

void add_config_flag(CLI::App& app);

/// YAML of every flag that decides the result (not --output, --resume, --threads and the like).
std::string resolved_flags(const CLI::App& app);

}  // namespace kvcal
