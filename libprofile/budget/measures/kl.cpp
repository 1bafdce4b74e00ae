// SPDX-License-Identifier: Apache-2.0
/// KL: what the model's output loses when one layer alone keeps less.
///
/// Source   ours, see libcompress/allocators/kl.cpp.
/// Rule     see measure_unit_costs; all other entries stay.
/// Part     /layers/kl.
/// Checked  cli/layer_budget_measures_what_cutting_one_unit_costs.yaml.
#include "budget/curve_measure.hpp"

namespace kvcal {

extern constexpr MeasureInfo measure_kl{
    "kl",
    "the model's output when a layer is cut alone",
    "compresskv_wide",
    true,
    &Needs::layer_costs,
    [](const ProfileFacts& facts) { return facts.layer_costs.has_value(); },
    nullptr,
    [](const MeasureSetup& setup) -> std::unique_ptr<Measure> {
      return std::make_unique<UnitCostMeasure<CostUnit::layer>>(setup);
    }};

}  // namespace kvcal
