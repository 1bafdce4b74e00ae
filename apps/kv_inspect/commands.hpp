// SPDX-License-Identifier: Apache-2.0
// One function per subcommand, each in its own file: it declares its flags and sets `chosen` when
// named.
#pragma once

#include <CLI/CLI.hpp>
#include <functional>
#include <string>

#include "kvcal/profile/profile.hpp"

namespace kvcal {

using Command = std::function<int()>;

void add_model_command(CLI::App& app, Command& chosen);
void add_tokens_command(CLI::App& app, Command& chosen);
void add_logits_command(CLI::App& app, Command& chosen);
void add_profile_command(CLI::App& app, Command& chosen);
void add_prompt_command(CLI::App& app, Command& chosen);
void add_score_command(CLI::App& app, Command& chosen);
void add_import_command(CLI::App& app, Command& chosen);
void add_export_command(CLI::App& app, Command& chosen);
void add_merge_command(CLI::App& app, Command& chosen);
void add_diff_command(CLI::App& app, Command& chosen);

/// Flags of the commands that write a profile.
struct StoredFlags {
  std::string output;
  bool is_force = false;
  bool has_provenance = true;
};
void add_stored_flags(CLI::App& command, StoredFlags& flags, const std::string& help);

/// @throws Error{config} the output exists and may not be replaced
void require_writable(const StoredFlags& flags);

/// This program takes over the profile.
void begin_stage(Profile& profile, const StoredFlags& flags, const std::string& resolved_config);

/// All of stdin.
std::string read_stdin();

}  // namespace kvcal
