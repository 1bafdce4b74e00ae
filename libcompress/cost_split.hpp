// SPDX-License-Identifier: Apache-2.0
// Splitting a budget by cost curves: each unit (a layer, or a KV head) has a curve of what it costs
// to keep less of it. Not an allocator.
#pragma once

#include <cstdint>
#include <span>
#include <vector>

#include "kvcal/compress/layer_view.hpp"

namespace kvcal {

/// Entries per unit that make the sum of the curves' lower convex hulls least: the hulls' segments
/// are filled in order of what an entry saves there, the last one in part. Least possible for
/// curves that are convex; for others the least that their hulls promise. Where an entry saves
/// nothing any more, the rest is spread evenly.
///
/// @param least   [units] entries that a unit keeps in any case; the curve's left end costs what
///                its first point does
/// @return  [units] f64 entries, sum `total`, each in least .. tokens
/// @throws  Error{config} the total is below the sum of `least`, or the curves are not of `least`'s
///          units
std::vector<double> split_by_cost(const CostCurves& curves, std::span<const int64_t> least,
                                  int64_t tokens, int64_t total);

}  // namespace kvcal
