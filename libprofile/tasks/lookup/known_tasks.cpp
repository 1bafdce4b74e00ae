// SPDX-License-Identifier: Apache-2.0
#include <algorithm>

#include "kvcal/profile/task.hpp"
#include "tasks/lookup/resolved_task.hpp"

namespace kvcal {
namespace {

/// One flag may be meant for some of the tasks only.
void override_known(ResolvedTask& resolved, const ParamMap& overrides) {
  for (const FieldInfo& field : resolved.task->fields()) {
    const auto found = overrides.find(field.name);
    if (found != overrides.end()) resolved.params.insert_or_assign(field.name, found->second);
  }
}

}  // namespace

std::vector<KnownTask> known_tasks(const ParamMap& overrides) {
  std::vector<KnownTask> known;
  for (const auto& [name, file] : configured_tasks()) {
    ResolvedTask resolved = read_task(file);
    override_known(resolved, overrides);
    KnownTask task{name, resolved.summary, std::nullopt};
    if (resolved.task->locate != nullptr) {
      task.data = resolved.task->locate(resolved.argument, resolved.params);
    }
    known.push_back(std::move(task));
  }
  return known;
}

}  // namespace kvcal
