// SPDX-License-Identifier: Apache-2.0
// LongBench's own numbers, below kv-eval's table.
#pragma once

#include <string>
#include <vector>

#include "kvcal/profile/longbench.hpp"

namespace kvcal {

/// Scores 0 .. 100: datasets and averages, then LongBench-E by length, one row a variant. Empty
/// without LongBench tasks.
std::string longbench_tables(const std::vector<LongbenchSummary>& summaries);

}  // namespace kvcal
