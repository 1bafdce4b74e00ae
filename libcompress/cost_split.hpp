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
#include "kvcal/compress/error.hpp"

namespace kvcal {

/// What the allocators by curves can be told.
struct CostSplitParams {
  int64_t min_tokens = 8;
  double max_ratio = 0;
  template <class Visitor>
  void visit(Visitor& v) {
    v.field("min_tokens", min_tokens, at_least(1), "least entries of a KV head");
    v.field("max_ratio", max_ratio, at_least(0),
            "most entries of a KV head, in budgets; 0: as many as the prompt has");
  }
};

/// Entries per unit that make the sum of the curves' lower convex hulls least: the hulls' segments
/// are filled in order of what an entry saves there, the last one in part. Least possible for
/// curves that are convex; for others the least that their hulls promise. Where an entry saves
/// nothing any more, the rest is spread evenly.
///
/// @param least   [units] entries that a unit keeps in any case; the curve's left end costs what
///                its first point does
/// @param most    that a unit keeps, unless its `least` is more; up to `tokens`
/// @return  [units] f64 entries, sum `total`, each in least .. most
/// @throws  Error{config} the total is below the sum of `least`, or above what the units may keep,
///          or the curves are not of `least`'s units
std::vector<double> split_by_cost(const CostCurves& curves, std::span<const int64_t> least,
                                  int64_t most, int64_t tokens, int64_t total);

/// The same in whole entries, each unit within the limits of the parameters.
///
/// @param curves  of as many units as `least` has
/// @param least   [units] entries that are protected
/// @throws Error{config} as above
std::vector<int64_t> entries_by_cost(const AllocationRequest& request, const CostCurves& curves,
                                     std::vector<int64_t> least, const CostSplitParams& params);

/// @param measure  of layer-budget, which makes the curves
/// @throws Error{config} the profile has no such curves
template <class Curves>
const Curves& curves_of(const AllocationRequest& request,
                        std::optional<Curves> ProfileFacts::*curves, std::string_view allocator,
                        std::string_view measure) {
  require(request.profile != nullptr && (request.profile->*curves).has_value(), Kind::config,
          "{} needs the curves of a profile: run layer-budget --measure {}", allocator, measure);
  return *(request.profile->*curves);
}

}  // namespace kvcal
