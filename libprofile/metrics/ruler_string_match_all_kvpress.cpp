// SPDX-License-Identifier: Apache-2.0
#include "metrics/text/substring.hpp"

namespace kvcal {
namespace {

double score(const MetricInput& input) {
  const std::string prediction = text::without_control_characters(input.prediction);
  return find_metric("ruler_string_match_all")
      .score({prediction, input.references, input.all_classes});
}

}  // namespace

extern const MetricInfo metric_ruler_string_match_all_kvpress = {
    "ruler_string_match_all_kvpress",
    "ruler_string_match_all of the prediction without control characters (kvpress)", 100, score};

}  // namespace kvcal
