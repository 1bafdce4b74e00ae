// SPDX-License-Identifier: Apache-2.0
// The end of a run: what the results say, whether they may be shown, and the exit code.
#pragma once

#include "kv_eval/plan.hpp"
#include "kvcal/profile/results.hpp"

namespace kvcal {

/// Prints and writes all that was asked for.
/// @return  kGateFailed where the full cache drifted from the baseline (its cells alone are shown),
///          a cell regressed, or a gate did not pass
int conclude(const EvalFlags& flags, const EvalPlan& plan, Results results);

}  // namespace kvcal
