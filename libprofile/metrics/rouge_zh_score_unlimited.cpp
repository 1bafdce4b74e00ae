// SPDX-License-Identifier: Apache-2.0
/// rouge_zh_score without Python's recursion limit.
#include "metrics/text/jieba.hpp"
#include "metrics/text/rouge.hpp"

namespace kvcal {
namespace {

double score(const MetricInput& input) {
  return text::best_chinese_rouge_l(input, text::kNoCallLimit);
}

}  // namespace

extern const MetricInfo metric_rouge_zh_score_unlimited = {
    "rouge_zh_score_unlimited", "ROUGE-L F over jieba's tokens, without Python's recursion limit",
    1, score, text::Jieba::load_shared};

}  // namespace kvcal
