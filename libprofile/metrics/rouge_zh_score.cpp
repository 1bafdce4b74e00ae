// SPDX-License-Identifier: Apache-2.0
/// LongBench's ROUGE-L of Chinese text: jieba's tokens are the words. The full stop of Chinese ends
/// no sentence, so Python's recursion limit is met more often than in English;
/// rouge_zh_score_unlimited is without it.
#include "metrics/text/jieba.hpp"
#include "metrics/text/rouge.hpp"

namespace kvcal {
namespace {

double score(const MetricInput& input) {
  return text::best_chinese_rouge_l(input, text::kPythonCallLimitZh);
}

}  // namespace

extern const MetricInfo metric_rouge_zh_score = {"rouge_zh_score",
                                                 "ROUGE-L F over jieba's tokens, as LongBench", 1,
                                                 score, text::Jieba::load_shared};

}  // namespace kvcal
