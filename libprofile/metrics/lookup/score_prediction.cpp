// SPDX-License-Identifier: Apache-2.0
#include <algorithm>

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

}  // namespace

double score_prediction(const Sample& sample, std::string_view prediction) {
  const auto& metric = find_metric(sample.metric);
  const auto counted = sample.scores_first_line ? first_line(prediction) : prediction;
  return metric.score({counted, sample.references, sample.all_classes}) / metric.scale;
}

}  // namespace kvcal
