// SPDX-License-Identifier: Apache-2.0
#include "kvcal/profile/metric.hpp"
#include "metrics/text/numbers.hpp"
#include "metrics/text/overlap.hpp"
#include "metrics/text/unicode.hpp"

namespace kvcal {
namespace {

double count(std::string_view prediction, std::string_view reference) {
  return text::share_of_numbers(prediction, text::code_points(reference));
}

double score(const MetricInput& input) {
  return text::best_over_references(input, count);
}

}  // namespace

extern const MetricInfo metric_count_score = {
    "count_score", "share of the prediction's numbers that are the reference, as LongBench", 1,
    score};

}  // namespace kvcal
