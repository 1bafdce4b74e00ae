// SPDX-License-Identifier: Apache-2.0
#include "tasks/lookup/resolved_task.hpp"

#include <fmt/ranges.h>

#include <algorithm>
#include <set>

#include "kvcal/compress/error.hpp"
#include "kvcal/profile/resources.hpp"
#include "kvcal/profile/yaml.hpp"

namespace kvcal {
namespace {

namespace fs = std::filesystem;

const TaskInfo* registered(std::string_view name) {
  for (const TaskInfo* task : task_table()) {
    if (task->name == name) return task;
  }
  return nullptr;
}

std::vector<std::string> registered_names() {
  std::vector<std::string> names;
  for (const TaskInfo* task : task_table()) names.emplace_back(task->name);
  return names;
}

/// The configured tasks of one folder of configs/tasks.
std::vector<std::string> members(std::string_view family) {
  std::vector<std::string> names;
  for (const auto& [name, file] : configured_tasks()) {
    if (name.starts_with(fmt::format("{}:", family))) names.push_back(name);
  }
  return names;
}

bool is_family(std::string_view name) {
  const bool is_one_folder = !name.empty() && name.find('/') == name.npos && name[0] != '.';
  return is_one_folder && fs::is_directory(resource("configs/tasks") / name);
}

/// Every name, where a family of many counts as one.
std::vector<std::string> known_names() {
  std::set<std::string> names;
  for (const auto& [name, file] : configured_tasks()) {
    const size_t colon = name.find(':');
    names.insert(colon == std::string::npos ? name : name.substr(0, colon) + ":NAME");
  }
  for (auto& name : registered_names()) {
    if (!names.contains(name + ":NAME")) names.insert(std::move(name));
  }
  return {names.begin(), names.end()};
}

[[noreturn]] void fail_unknown(std::string_view name, const std::vector<std::string>& known) {
  fail(Kind::config, "no task '{}'{} (known: {}; or a path that ends in .yaml)", name,
       nearest_hint(name, known), fmt::join(known, ", "));
}

}  // namespace

std::map<std::string, fs::path> configured_tasks() {
  std::map<std::string, fs::path> tasks;
  const fs::path root = resource("configs/tasks");
  for (const auto& entry : fs::recursive_directory_iterator(root)) {
    if (entry.path().extension() != ".yaml") continue;
    std::string name = entry.path().lexically_relative(root).replace_extension().generic_string();
    std::replace(name.begin(), name.end(), '/', ':');
    tasks.emplace(std::move(name), entry.path());
  }
  return tasks;
}

std::optional<fs::path> configured_file(std::string_view name) {
  if (name.find('/') != name.npos || name.find("..") != name.npos) return std::nullopt;
  std::string relative(name);
  std::replace(relative.begin(), relative.end(), ':', '/');
  const fs::path file = resource("configs/tasks") / (relative + ".yaml");
  return fs::is_regular_file(file) ? std::optional(file) : std::nullopt;
}

ResolvedTask read_task(const fs::path& file) {
  const YamlMap yaml = YamlMap::load(file);
  yaml.require_only({"task", "summary", "argument", "params"});
  const std::string name = yaml.text("task");
  const TaskInfo* task = registered(name);
  require(task != nullptr, Kind::config, "{}: task = {}, need one of {}{}", yaml.where("task"),
          name, fmt::join(registered_names(), ", "), nearest_hint(name, registered_names()));
  return {task, yaml.optional_text("summary").value_or(""),
          yaml.optional_text("argument").value_or(""), yaml.params("params")};
}

ResolvedTask resolve_task(std::string_view spec) {
  if (const auto file = configured_file(spec)) return read_task(*file);
  const size_t colon = spec.find(':');
  if (colon == std::string_view::npos && spec.ends_with(".yaml")) return read_task(fs::path(spec));
  const std::string_view name = spec.substr(0, colon);
  if (is_family(name)) fail_unknown(spec, members(name));
  const TaskInfo* task = registered(name);
  if (task == nullptr) fail_unknown(name, known_names());
  const bool has_argument = colon != std::string_view::npos;
  return {task, "", has_argument ? std::string(spec.substr(colon + 1)) : "", {}};
}

}  // namespace kvcal
