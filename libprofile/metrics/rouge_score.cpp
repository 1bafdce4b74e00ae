// SPDX-License-Identifier: Apache-2.0
/// ROUGE-L F as in published LongBench scores, with the zeros that Python's recursion limit put
/// there; rouge_score_unlimited is without them.
#include "metrics/text/rouge.hpp"

namespace kvcal {
namespace {

double score(const MetricInput& input) {
  return text::best_rouge_l(input, text::kPythonCallLimit);
}

}  // namespace

extern const MetricInfo metric_rouge_score = {"rouge_score",
                                              "ROUGE-L F of PyPI rouge, as LongBench", 1, score};

}  // namespace kvcal
