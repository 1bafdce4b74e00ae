// SPDX-License-Identifier: Apache-2.0
// Tables of what a run was held to: latency, baseline, gates.
#pragma once

#include <string>
#include <vector>

#include "kvcal/profile/summary.hpp"

namespace kvcal {

std::string latency_table(const std::vector<LatencyRecord>& records);
std::string drift_text(const FullCacheDrift& drift);
std::string baseline_table(const BaselineReport& report);
std::string gate_table(const std::vector<GateVerdict>& verdicts);

}  // namespace kvcal
