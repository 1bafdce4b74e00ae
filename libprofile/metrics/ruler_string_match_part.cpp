// SPDX-License-Identifier: Apache-2.0
#include "metrics/text/substring.hpp"

namespace kvcal {
namespace {

/// RULER, string_match_part, of one sample.
double score(const MetricInput& input) {
  return text::count_contained(input) > 0 ? 100 : 0;
}

}  // namespace

extern const MetricInfo metric_ruler_string_match_part = {
    "ruler_string_match_part", "100 if any reference is part of the prediction (RULER)", 100,
    score};

}  // namespace kvcal
