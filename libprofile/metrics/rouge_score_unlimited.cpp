// SPDX-License-Identifier: Apache-2.0
/// rouge_score without Python's recursion limit. The two differ for texts with a sentence of
/// hundreds of words, as a model writes that repeats itself.
#include "metrics/text/rouge.hpp"

namespace kvcal {
namespace {

double score(const MetricInput& input) {
  return text::best_rouge_l(input, text::kNoCallLimit);
}

}  // namespace

extern const MetricInfo metric_rouge_score_unlimited = {
    "rouge_score_unlimited", "ROUGE-L F of PyPI rouge, without Python's recursion limit", 1, score};

}  // namespace kvcal
