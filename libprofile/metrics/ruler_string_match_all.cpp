// SPDX-License-Identifier: Apache-2.0
#include "metrics/text/overlap.hpp"
#include "metrics/text/substring.hpp"

namespace kvcal {
namespace {

/// RULER, string_match_all, of one sample, rounded to hundredths as kvpress rounds its result.
double score(const MetricInput& input) {
  if (input.references.empty()) return 0;
  const double share = static_cast<double>(text::count_contained(input)) /
                       static_cast<double>(input.references.size());
  return text::round_to_hundredths(100 * share);
}

}  // namespace

extern const MetricInfo metric_ruler_string_match_all = {
    "ruler_string_match_all", "share of the references that are part of the prediction (RULER)",
    100, score};

}  // namespace kvcal
