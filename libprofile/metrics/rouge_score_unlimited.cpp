// SPDX-License-Identifier: Apache-2.0
/// rouge_score without Python's recursion limit. The two differ for texts with a sentence of
/// hundreds of words, as a model writes that repeats itself.
#include "kvcal/profile/metric.hpp"
#include "metrics/text/overlap.hpp"
#include "metrics/text/rouge.hpp"
#include "metrics/text/unicode.hpp"

namespace kvcal {
namespace {

double rouge(std::string_view prediction, std::string_view reference) {
  return text::rouge_l(text::code_points(prediction), text::code_points(reference),
                       text::kNoCallLimit);
}

double score(const MetricInput& input) {
  return text::best_over_references(input, rouge);
}

}  // namespace

extern const MetricInfo metric_rouge_score_unlimited = {
    "rouge_score_unlimited", "ROUGE-L F of PyPI rouge, without Python's recursion limit", 1, score};

}  // namespace kvcal
