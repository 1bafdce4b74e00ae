// SPDX-License-Identifier: Apache-2.0
// What kv-eval prints.
#pragma once

#include <optional>
#include <string>
#include <vector>

#include "kv_eval/plan.hpp"
#include "kvcal/profile/summary.hpp"

namespace kvcal {

/// One line a cell, notes on what was compared, areas, needle heatmaps, and what the run was held
/// to.
std::string as_table(const Results& results, const Summary& summary);
/// @param time  predicted for this machine; nothing when the run is for another device
std::string describe_plan(const EvalPlan& plan, const ModelConfig& model, int64_t element_bytes,
                          const std::optional<Durations>& time);
std::string list_methods();
/// @param params  of --task-param, which may say where data lies
std::string list_tasks(const ParamMap& params);

}  // namespace kvcal
