// SPDX-License-Identifier: Apache-2.0
#include "kvcal/profile/metric.hpp"
#include "metrics/text/chinese_answer.hpp"
#include "metrics/text/jieba.hpp"
#include "metrics/text/overlap.hpp"
#include "metrics/text/unicode.hpp"

namespace kvcal {
namespace {

double f1(std::string_view prediction, std::string_view reference) {
  const auto& jieba = text::Jieba::shared();
  return text::chinese_answer_f1(jieba.cut(text::code_points(prediction)),
                                 jieba.cut(text::code_points(reference)));
}

double score(const MetricInput& input) {
  return text::best_over_references(input, f1);
}

}  // namespace

extern const MetricInfo metric_qa_f1_zh_score = {
    "qa_f1_zh_score", "F1 of jieba's tokens, as LongBench", 1, score, text::Jieba::load_shared};

}  // namespace kvcal
