// SPDX-License-Identifier: Apache-2.0
// Where names beside a plot stand, so that none covers another.
#pragma once

#include <vector>

namespace kvcal::report {

/// Of text in plots, CSS pixels.
inline constexpr int kCharacterWidth = 7, kLineHeight = 16;

/// Places as near to `wanted` as their order and `spacing` between them allow, within [0, room] if
/// they fit. @param wanted  in any order; equal ones keep theirs
std::vector<double> spread_labels(const std::vector<double>& wanted, double spacing, double room);

}  // namespace kvcal::report
