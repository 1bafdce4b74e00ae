// SPDX-License-Identifier: Apache-2.0
// Text heatmaps of needle scores: one per method and budget, rows depth, columns length.
#pragma once

#include <string>

#include "kvcal/profile/results.hpp"

namespace kvcal {

/// Empty when no record has a depth.
std::string needle_heatmaps(const Results& results);

}  // namespace kvcal
