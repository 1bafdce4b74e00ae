// SPDX-License-Identifier: Apache-2.0
// Flags that mean the same in every program.
#pragma once

#include <CLI/CLI.hpp>
#include <string>
#include <vector>

#include "kvcal/compress/params.hpp"
#include "kvcal/profile/provenance.hpp"

namespace kvcal {

struct SharedFlags {
  std::string model;
  std::string output;
  std::string device = "cpu";
  std::string dtype = "auto";
  std::string json;
  std::string chat_format;
  int64_t threads = 0;
  int64_t seed = 0;
  int64_t limit = 0;
  std::string rendezvous;
  double lease_seconds = 30;
  bool is_resume = false, is_force = false, is_dry_run = false;
  bool is_quiet = false, is_verbose = false;
  bool has_provenance = true;
};

void add_shared_flags(CLI::App& app, SharedFlags& flags);

/// Log level and threads; call first in `run`.
void apply_shared_flags(const SharedFlags& flags);

/// "a,b" and repeated flags alike.
CLI::Option* add_list(CLI::App& app, const std::string& name, std::vector<std::string>& values,
                      const std::string& help);

/// --task-param key=value, as parameters of a task; numbers and comma lists of numbers are
/// recognised.
ParamMap parse_task_params(const std::vector<std::string>& assignments);

Provenance make_provenance(const std::string& program, const SharedFlags& flags,
                           const std::string& resolved_config, const std::string& dtype);

}  // namespace kvcal
