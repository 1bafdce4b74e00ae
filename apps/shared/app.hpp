// SPDX-License-Identifier: Apache-2.0
// What every program shares: parse, run, the one catch, exit codes.
#pragma once

#include <CLI/CLI.hpp>
#include <exception>
#include <functional>
#include <string>

namespace kvcal {

enum ExitCode { kDone = 0, kGateFailed = 1, kUsage = 2, kData = 3, kBug = 4 };

struct AppInfo {
  std::string name;
  std::string summary;
  std::string examples;  ///< two command lines, shown at the end of --help
};

/// Parses (pure), then calls `run`. An error becomes one line on stderr and an exit code.
/// @param add_flags  declares the flags; @param run  does the work and returns an exit code
int run_app(int argc, char** argv, const AppInfo& info,
            const std::function<void(CLI::App&)>& add_flags,
            const std::function<int(CLI::App&)>& run);

/// What an error that leaves a program ends it with.
ExitCode exit_code_of(const std::exception_ptr& error);

/// The command line as typed, for provenance.
std::string command_line();

/// Writes a result to stdout; a closed pipe ends the program quietly.
void print_result(std::string_view text);

}  // namespace kvcal
