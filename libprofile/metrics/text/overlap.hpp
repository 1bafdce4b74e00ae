// SPDX-License-Identifier: Apache-2.0
// What several metrics share: overlap of word bags, the best value over references.
#pragma once

#include <algorithm>
#include <cstdint>
#include <string>
#include <vector>

#include "kvcal/profile/metric.hpp"

namespace kvcal::text {

/// Size of the multiset intersection.
int64_t bag_overlap(std::vector<std::u32string> a, std::vector<std::u32string> b);

/// F1 of the multisets; 0 without overlap.
double bag_f1(const std::vector<std::u32string>& predicted,
              const std::vector<std::u32string>& wanted);

/// The largest pair score over the references; 0 without references.
template <class PairScore>
double best_over_references(const MetricInput& input, PairScore pair_score) {
  double best = 0;
  for (const auto& reference : input.references) {
    best = std::max(best, pair_score(input.prediction, std::string_view(reference)));
  }
  return best;
}

/// Python's round(value, 2): from the exact binary value, ties to even.
double round_to_hundredths(double value);

}  // namespace kvcal::text
