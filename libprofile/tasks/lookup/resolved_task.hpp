// SPDX-License-Identifier: Apache-2.0
// From what a user names to a registered task with its argument and params.
#pragma once

#include <filesystem>
#include <map>
#include <string>
#include <string_view>

#include "kvcal/profile/task.hpp"

namespace kvcal {

struct ResolvedTask {
  const TaskInfo* task;
  std::string summary;
  std::string argument;
  ParamMap params;
};

/// Name -> file: "niah" of configs/tasks/niah.yaml, "longbench:qasper" of
/// configs/tasks/longbench/qasper.yaml.
std::map<std::string, std::filesystem::path> configured_tasks();

/// The file of one of them.
std::optional<std::filesystem::path> configured_file(std::string_view name);

/// @throws Error{config} not a task's YAML, with its place
ResolvedTask read_task(const std::filesystem::path& file);

/// @param spec  as `open_task` takes it
/// @throws Error{config} unknown: lists what there is, and the nearest
ResolvedTask resolve_task(std::string_view spec);

}  // namespace kvcal
