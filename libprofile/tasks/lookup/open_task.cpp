// SPDX-License-Identifier: Apache-2.0
// From a task's name, YAML or `name:argument` to the task.
#include <fmt/ranges.h>

#include <algorithm>

#include "kvcal/compress/error.hpp"
#include "kvcal/profile/resources.hpp"
#include "kvcal/profile/task.hpp"
#include "kvcal/profile/yaml.hpp"

namespace kvcal {
namespace {

namespace fs = std::filesystem;

/// What a spec comes down to.
struct Resolved {
  const TaskInfo* task;
  std::string argument;
  ParamMap params;
};

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

std::vector<std::string> configured_names() {
  std::vector<std::string> names;
  for (const auto& entry : fs::recursive_directory_iterator(resource("configs/tasks"))) {
    if (entry.path().extension() == ".yaml") names.push_back(entry.path().stem().string());
  }
  return names;
}

/// @throws Error{config} lists what there is, and the nearest
[[noreturn]] void fail_unknown(std::string_view name) {
  std::vector<std::string> known = configured_names();
  for (std::string& registered_name : registered_names())
    known.push_back(std::move(registered_name));
  std::sort(known.begin(), known.end());
  known.erase(std::unique(known.begin(), known.end()), known.end());
  fail(Kind::config, "no task '{}'{} (known: {}; or a path that ends in .yaml)", name,
       nearest_hint(name, known), fmt::join(known, ", "));
}

Resolved from_yaml(const fs::path& file) {
  const YamlMap yaml = YamlMap::load(file);
  yaml.require_only({"task", "summary", "argument", "params"});
  const std::string name = yaml.text("task");
  const TaskInfo* task = registered(name);
  require(task != nullptr, Kind::config, "{}: task = {}, need one of {}{}", yaml.where("task"),
          name, fmt::join(registered_names(), ", "), nearest_hint(name, registered_names()));
  return {task, yaml.optional_text("argument").value_or(""), yaml.params("params")};
}

std::optional<fs::path> configured_file(std::string_view name) {
  if (name.empty() || name.find('/') != std::string_view::npos) return std::nullopt;
  const fs::path file = resource("configs/tasks") / fmt::format("{}.yaml", name);
  if (!fs::is_regular_file(file)) return std::nullopt;
  return file;
}

Resolved resolve(std::string_view spec) {
  const size_t colon = spec.find(':');
  if (colon != std::string_view::npos) {
    const std::string_view name = spec.substr(0, colon);
    const TaskInfo* task = registered(name);
    if (task == nullptr) fail_unknown(name);
    return {task, std::string(spec.substr(colon + 1)), {}};
  }
  if (spec.ends_with(".yaml")) return from_yaml(fs::path(spec));
  if (const auto file = configured_file(spec)) return from_yaml(*file);
  const TaskInfo* task = registered(spec);
  if (task == nullptr) fail_unknown(spec);
  return {task, "", {}};
}

}  // namespace

std::unique_ptr<Task> open_task(std::string_view spec, const TaskContext& context,
                                const ParamMap& overrides) {
  Resolved resolved = resolve(spec);
  for (const auto& [name, entry] : overrides) resolved.params.insert_or_assign(name, entry);
  require_known_keys(resolved.params, resolved.task->fields(),
                     fmt::format("task '{}'", resolved.task->name));
  return resolved.task->make(context, resolved.argument, resolved.params);
}

}  // namespace kvcal
