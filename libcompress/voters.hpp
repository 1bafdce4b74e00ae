// SPDX-License-Identifier: Apache-2.0
// Which heads have a say in what is kept: the best by a profile's scores, random ones, or all. Not
// a scorer.
#pragma once

#include <cstdint>
#include <span>
#include <string>
#include <vector>

#include "kvcal/compress/layer_view.hpp"

namespace kvcal {

struct VoterRule {
  std::string kind;   ///< of ProfileFacts::head_kinds, or "random", or "all"
  int64_t count = 1;  ///< heads; without meaning for "all"
  uint64_t seed = 0;  ///< which random ones
};

/// The rule asks for scores of a profile.
bool is_ranked(const VoterRule& rule);

/// Heads of the view's layer, best first, equals in order.
/// @throws Error{config} more heads than there are, or no such scores
std::vector<int64_t> voters_of_layer(const LayerView& view, const VoterRule& rule);

/// The best of all layers together: [layers], the voters of each.
/// @throws as voters_of_layer
std::vector<std::vector<int64_t>> voters_of_model(std::span<const LayerView> layers,
                                                  const VoterRule& rule);

}  // namespace kvcal
