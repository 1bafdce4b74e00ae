// SPDX-License-Identifier: Apache-2.0
// Runs one command as a shell would and keeps what it printed. Not for anything interactive.
#pragma once

#include <filesystem>
#include <map>
#include <string>
#include <vector>

namespace kvcal::test {

struct Command {
  std::vector<std::string> arguments;
  std::map<std::string, std::string> environment = {};  // on top of the test's own
  std::string stdin_text = {};
  std::filesystem::path directory = {};
  int timeout_seconds = 60;
};

struct Outcome {
  int exit_code = 0;  // 128 + signal when killed, 124 past its time limit, as `timeout` says
  std::string stdout_text;
  std::string stderr_text;
};

/// @throws Error{internal}  the command cannot be started; a missing program is exit code 127
Outcome run(const Command& command);

}  // namespace kvcal::test
