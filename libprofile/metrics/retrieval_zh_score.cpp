// SPDX-License-Identifier: Apache-2.0
#include "kvcal/profile/metric.hpp"
#include "metrics/text/numbers.hpp"
#include "metrics/text/overlap.hpp"

namespace kvcal {
namespace {

double retrieval(std::string_view prediction, std::string_view reference) {
  return text::share_of_numbers(prediction, text::number_behind(U"\u6BB5\u843D", reference));
}

double score(const MetricInput& input) {
  return text::best_over_references(input, retrieval);
}

}  // namespace

extern const MetricInfo metric_retrieval_zh_score = {
    "retrieval_zh_score", "the same where the reference is Chinese, as LongBench", 1, score};

}  // namespace kvcal
