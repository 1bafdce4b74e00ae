// SPDX-License-Identifier: Apache-2.0
#include <algorithm>
#include <limits>

#include "kvcal/profile/identify.hpp"

namespace kvcal {
namespace {

/// [layers * heads] mean over the prompts begin, begin + 2, ... below `end`
std::vector<double> mean_of_half(const HeadScores& scores, int64_t begin, int64_t end) {
  const auto heads = static_cast<size_t>(scores.layers * scores.heads);
  std::vector<double> mean(heads);
  for (int64_t prompt = begin; prompt < end; prompt += 2) {
    const float* row = scores.per_prompt.data() + static_cast<size_t>(prompt) * heads;
    for (size_t i = 0; i < heads; ++i) mean[i] += static_cast<double>(row[i]);
  }
  return mean;  // the common divisor changes no rank
}

}  // namespace

std::vector<HeadSummary> top_heads(const HeadScores& scores, int64_t n,
                                   std::span<const int64_t> clusters, uint64_t seed) {
  const auto mean = scores.mean();
  auto order = scores.model_ranking();
  order.resize(std::min(order.size(), static_cast<size_t>(n)));

  std::vector<HeadSummary> heads;
  for (const int64_t head : order) {
    std::vector<double> values;
    for (int64_t prompt = 0; prompt < scores.count; ++prompt) {
      values.push_back(static_cast<double>(
          scores
              .per_prompt[static_cast<size_t>(prompt) * mean.size() + static_cast<size_t>(head)]));
    }
    heads.push_back({head / scores.heads, head % scores.heads, mean[static_cast<size_t>(head)],
                     bootstrap_mean(values, clusters, 0.95, 2000, seed)});
  }
  return heads;
}

HalfAgreement half_agreement(const HeadScores& scores, int64_t prompts) {
  HalfAgreement agreement;
  if (prompts < 2) {
    agreement.spearman = agreement.top_overlap = std::numeric_limits<double>::quiet_NaN();
    return agreement;
  }
  const auto even = mean_of_half(scores, 0, prompts);
  const auto odd = mean_of_half(scores, 1, prompts);
  agreement.top = std::min<int64_t>(agreement.top, static_cast<int64_t>(even.size()));
  agreement.spearman = spearman(even, odd);
  agreement.top_overlap = top_overlap(even, odd, agreement.top);
  return agreement;
}

}  // namespace kvcal
