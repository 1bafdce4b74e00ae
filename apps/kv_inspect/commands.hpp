// SPDX-License-Identifier: Apache-2.0
// One function per subcommand, each in its own file: it declares its flags and sets `chosen` when
// named.
#pragma once

#include <CLI/CLI.hpp>
#include <functional>
#include <string>

namespace kvcal {

using Command = std::function<int()>;

void add_model_command(CLI::App& app, Command& chosen);
void add_tokens_command(CLI::App& app, Command& chosen);
void add_logits_command(CLI::App& app, Command& chosen);
void add_profile_command(CLI::App& app, Command& chosen);
void add_score_command(CLI::App& app, Command& chosen);

/// All of stdin.
std::string read_stdin();

}  // namespace kvcal
