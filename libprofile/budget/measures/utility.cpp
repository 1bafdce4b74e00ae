// SPDX-License-Identifier: Apache-2.0
/// Utility: what the model's output loses when one KV head alone keeps less.
///
/// Source   ours, see libcompress/allocators/utility.cpp.
/// Rule     see measure_unit_costs; all other entries stay.
/// Part     /kv_heads/utility.
/// Checked  cli/layer_budget_measures_what_cutting_one_unit_costs.yaml.
#include "budget/curve_measure.hpp"

namespace kvcal {

extern constexpr MeasureInfo measure_utility{
    "utility",
    "the same of each KV head",
    "compresskv_wide",
    true,
    &Needs::kv_head_costs,
    [](const ProfileFacts& facts) { return facts.kv_head_costs.has_value(); },
    nullptr,
    [](const MeasureSetup& setup) -> std::unique_ptr<Measure> {
      return std::make_unique<UnitCostMeasure<CostUnit::kv_head>>(setup);
    }};

}  // namespace kvcal
