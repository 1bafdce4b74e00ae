// SPDX-License-Identifier: Apache-2.0
#include <algorithm>
#include <limits>

#include "kvcal/profile/metric.hpp"
#include "kvcal/profile/task.hpp"

namespace kvcal {
namespace {

/// LongBench's rule for its few-shot sets: newlines in front go, and nothing else (a space or a
/// carriage return does not); then all from the next newline on.
std::string_view first_line(std::string_view text) {
  text.remove_prefix(std::min(text.find_first_not_of('\n'), text.size()));
  return text.substr(0, text.find('\n'));
}

MetricInput counted_input(const Sample& sample, std::string_view prediction) {
  const auto counted = sample.scores_first_line ? first_line(prediction) : prediction;
  return {counted, sample.references, sample.all_classes};
}

}  // namespace

double score_prediction(const Sample& sample, std::string_view prediction) {
  const auto& metric = find_metric(sample.metric);
  return metric.score(counted_input(sample, prediction)) / metric.scale;
}

double parsed_prediction(const Sample& sample, std::string_view prediction) {
  const auto& metric = find_metric(sample.metric);
  if (metric.is_parsed == nullptr) return std::numeric_limits<double>::quiet_NaN();
  return metric.is_parsed(counted_input(sample, prediction)) ? 1 : 0;
}

}  // namespace kvcal
