// SPDX-License-Identifier: Apache-2.0
#include "kvcal/compress/error.hpp"
#include "kvcal/profile/task.hpp"
#include "tasks/lookup/resolved_task.hpp"

namespace kvcal {

std::unique_ptr<Task> open_task(std::string_view spec, const TaskContext& context,
                                const ParamMap& overrides) {
  ResolvedTask resolved = resolve_task(spec);
  for (const auto& [name, entry] : overrides) resolved.params.insert_or_assign(name, entry);
  require_known_keys(resolved.params, resolved.task->fields(),
                     fmt::format("task '{}'", resolved.task->name));
  return resolved.task->make(context, resolved.argument, resolved.params);
}

}  // namespace kvcal
