// SPDX-License-Identifier: Apache-2.0
#include "metrics/text/substring.hpp"

#include <algorithm>

#include "metrics/text/unicode.hpp"

namespace kvcal::text {

int64_t count_contained(const MetricInput& input) {
  const std::u32string prediction = lower(code_points(input.prediction));
  return std::count_if(
      input.references.begin(), input.references.end(), [&](const auto& reference) {
        return prediction.find(lower(code_points(reference))) != std::u32string::npos;
      });
}

std::string without_control_characters(std::string_view prediction) {
  const std::u32string text = code_points(prediction);
  std::u32string kept(strip(text));
  std::erase_if(kept, [](char32_t c) { return c < 0x20; });
  return to_utf8(kept);
}

double score_without_control_characters(std::string_view metric, const MetricInput& input) {
  const std::string prediction = without_control_characters(input.prediction);
  return find_metric(metric).score({prediction, input.references, input.all_classes});
}

}  // namespace kvcal::text
