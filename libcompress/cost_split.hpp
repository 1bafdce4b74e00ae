// SPDX-License-Identifier: Apache-2.0
// Splitting a budget by cost curves: each unit (a layer, or a KV head) has a curve of what it costs
// to keep less of it. Not an allocator.
#pragma once

#include <cstdint>
#include <optional>
#include <span>
#include <string_view>
#include <vector>

#include "kvcal/compress/allocator.hpp"

namespace kvcal {

/// What the allocators `kl` and `utility` can be told.
struct CostSplitParams {
  int64_t min_tokens = 8;
  template <class Visitor>
  void visit(Visitor& v) {
    v.field("min_tokens", min_tokens, at_least(1), "least entries of a KV head");
  }
};

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

/// The same in whole entries, each unit with min_tokens at least.
///
/// @param curves   of the profile; of as many units as `least` has
/// @param least    [units] entries that are protected
/// @param measure  of layer-budget, which makes the curves
/// @throws Error{config} as above, or the profile has no such curves
std::vector<int64_t> entries_by_cost(const AllocationRequest& request,
                                     std::optional<CostCurves> ProfileFacts::*curves,
                                     std::vector<int64_t> least, int64_t min_tokens,
                                     std::string_view measure);

}  // namespace kvcal
