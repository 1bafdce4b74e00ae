// SPDX-License-Identifier: Apache-2.0
/// ROUGE-L F as in published LongBench scores, with the zeros that Python's recursion limit put
/// there; rouge_score_unlimited is without them.
#include "kvcal/profile/metric.hpp"
#include "metrics/text/overlap.hpp"
#include "metrics/text/rouge.hpp"
#include "metrics/text/unicode.hpp"

namespace kvcal {
namespace {

double rouge(std::string_view prediction, std::string_view reference) {
  return text::rouge_l(text::code_points(prediction), text::code_points(reference),
                       text::kPythonCallLimit);
}

double score(const MetricInput& input) {
  return text::best_over_references(input, rouge);
}

}  // namespace

extern const MetricInfo metric_rouge_score = {"rouge_score",
                                              "ROUGE-L F of PyPI rouge, as LongBench", 1, score};

}  // namespace kvcal
