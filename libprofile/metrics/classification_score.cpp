// SPDX-License-Identifier: Apache-2.0
#include <algorithm>

#include "kvcal/profile/metric.hpp"
#include "metrics/text/overlap.hpp"

namespace kvcal {
namespace {

bool contains(std::string_view text, std::string_view part) {
  return text.find(part) != std::string_view::npos;
}

/// LongBench: 1 / number of classes named, if the right one is among them. Classes that are proper
/// parts of the right one are taken out first, by a loop that edits the list it walks over: the
/// entry behind each removed one is not looked at. Kept, since published scores contain it.
double one_class(std::string_view prediction, std::string_view reference,
                 std::span<const std::string> all_classes) {
  std::vector<std::string_view> named;
  for (const auto& name : all_classes) {
    if (contains(prediction, name)) named.push_back(name);
  }
  for (size_t i = 0; i < named.size(); ++i) {
    const std::string_view name = named[i];
    if (name == reference || !contains(reference, name)) continue;
    named.erase(std::find(named.begin(), named.end(), name));
  }
  const bool is_named = std::find(named.begin(), named.end(), reference) != named.end();
  return is_named ? 1.0 / static_cast<double>(named.size()) : 0;
}

double score(const MetricInput& input) {
  return text::best_over_references(input, [&](auto prediction, auto reference) {
    return one_class(prediction, reference, input.all_classes);
  });
}

}  // namespace

extern const MetricInfo metric_classification_score = {
    "classification_score", "1 / classes named, if the right one is among them, as LongBench", 1,
    score};

}  // namespace kvcal
