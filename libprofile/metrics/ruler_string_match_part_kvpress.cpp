// SPDX-License-Identifier: Apache-2.0
#include "metrics/text/substring.hpp"

namespace kvcal {
namespace {

double score(const MetricInput& input) {
  return text::score_without_control_characters("ruler_string_match_part", input);
}

}  // namespace

extern const MetricInfo metric_ruler_string_match_part_kvpress = {
    "ruler_string_match_part_kvpress",
    "ruler_string_match_part of the prediction without control characters (kvpress)", 100, score};

}  // namespace kvcal
