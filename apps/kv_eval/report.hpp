// SPDX-License-Identifier: Apache-2.0
// What kv-eval prints.
#pragma once

#include <string>
#include <vector>

#include "kv_eval/plan.hpp"
#include "kvcal/profile/summary.hpp"

namespace kvcal {

/// One line a cell, notes on what was compared, areas, needle heatmaps, and what the run was held
/// to.
std::string as_table(const Results& results, const Summary& summary);
std::string describe_plan(const EvalPlan& plan, const ModelConfig& model, int64_t element_bytes);
std::string list_methods();
std::string list_tasks();

}  // namespace kvcal
