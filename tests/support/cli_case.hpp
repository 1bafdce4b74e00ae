// SPDX-License-Identifier: Apache-2.0
// A shell-level test as a YAML file: a command, and what it must print and return.
// The keys are described in docs/contributing.md.
#pragma once

#include <filesystem>
#include <map>
#include <optional>
#include <string>
#include <vector>

#include "support/command.hpp"

namespace kvcal::test {

/// What one output stream must be; without a demand anything will do.
struct StreamDemand {
  std::vector<std::string> contains;
  std::vector<std::string> lacks;
  bool is_golden = false;
  bool is_empty = false;
};

struct CliCase {
  std::string name;                  // stem of the file
  std::vector<std::string> setup;    // bash lines that must succeed first
  std::vector<std::string> command;  // program and arguments
  bool is_shell = false;             // bash replaces the places itself
  std::vector<std::string> check;    // bash lines that must succeed afterwards
  std::map<std::string, std::string> environment;
  std::string stdin_text;
  int exit_code = 0;
  int timeout_seconds = 60;
  bool needs_model = false;  // skipped without the real model
  std::string needs;         // bash line; skipped where it fails
  StreamDemand stdout_demand;
  StreamDemand stderr_demand;
};

/// @throws Error{config}  unknown key, wrong type, no command
CliCase load_cli_case(const std::filesystem::path& path);

/// $BIN, $TINY, $DATA, $SOURCE, $MODEL and $SCRATCH of a case.
using Places = std::map<std::string, std::string>;
Places places(const std::filesystem::path& programs, const std::filesystem::path& scratch);

/// The place that the case needs and that is not there, or the line that fails, if any.
std::optional<std::string> absent_place(const CliCase& test, const Places& places);

/// Runs the case; one sentence for each demand that was not met, with the outputs. Empty = passed.
std::string run_cli_case(const CliCase& test, const Places& places,
                         const std::filesystem::path& goldens);

}  // namespace kvcal::test
