// SPDX-License-Identifier: Apache-2.0
/// LongBench's ROUGE-L of Chinese text: jieba's tokens are the words. The full stop of Chinese ends
/// no sentence, so Python's recursion limit is met more often than in English;
/// rouge_zh_score_unlimited is without it.
#include "kvcal/profile/metric.hpp"
#include "metrics/text/jieba.hpp"
#include "metrics/text/overlap.hpp"
#include "metrics/text/rouge.hpp"
#include "metrics/text/unicode.hpp"

namespace kvcal {
namespace {

double rouge(std::string_view prediction, std::string_view reference) {
  const auto& jieba = text::Jieba::shared();
  return text::rouge_l(text::join(jieba.cut(text::code_points(prediction)), U' '),
                       text::join(jieba.cut(text::code_points(reference)), U' '),
                       text::kPythonCallLimitZh);
}

double score(const MetricInput& input) {
  return text::best_over_references(input, rouge);
}

}  // namespace

extern const MetricInfo metric_rouge_zh_score = {"rouge_zh_score",
                                                 "ROUGE-L F over jieba's tokens, as LongBench", 1,
                                                 score, text::Jieba::load_shared};

}  // namespace kvcal
