// SPDX-License-Identifier: Apache-2.0
// --measure-latency: each variant alone, after the sweep.
#pragma once

#include <vector>

#include "kv_eval/plan.hpp"
#include "kvcal/profile/latency.hpp"

namespace kvcal {

/// Every variant without a mask on the longest prompt of each task.
std::vector<LatencyRecord> measure_latencies(const EvalFlags& flags, const EvalPlan& plan,
                                             Session& session);

}  // namespace kvcal
