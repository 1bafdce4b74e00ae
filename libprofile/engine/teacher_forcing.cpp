// SPDX-License-Identifier: Apache-2.0
#include "engine/teacher_forcing.hpp"

#include <ATen/ATen.h>

namespace kvcal {

at::Tensor answer_log_probabilities(const Model& model, CompactCache& cache,
                                    const at::Tensor& first_logits,
                                    std::span<const int64_t> answer) {
  auto logits = first_logits.view({1, -1});
  if (answer.size() > 1) {
    const int64_t tail = cache.tail_tokens();
    const auto fed = answer.first(answer.size() - 1);
    logits = at::cat({logits, model.forward(fed, cache, LogitsWanted::all)});
    cache.truncate_tail(tail);
  }
  return at::log_softmax(logits, -1);
}

double mean_nll(const at::Tensor& log_probabilities, std::span<const int64_t> answer) {
  double sum = 0;
  for (size_t i = 0; i < answer.size(); ++i) {
    sum -= log_probabilities[static_cast<int64_t>(i)][answer[i]].item<double>();
  }
  return sum / static_cast<double>(answer.size());
}

void compare_distributions(const at::Tensor& full, const at::Tensor& variant, int64_t first_row,
                           Fidelity& fidelity) {
  const int64_t rows = full.size(0) - first_row;
  if (rows < 1) return;
  const auto from = full.narrow(0, first_row, rows), to = variant.narrow(0, first_row, rows);
  const auto divergence = (from.exp() * (from - to)).sum(1, false, at::kDouble);  // [rows]
  fidelity.kl = divergence.mean().item<double>();
  fidelity.top1_agreement = (from.argmax(1) == to.argmax(1)).to(at::kDouble).mean().item<double>();
}

}  // namespace kvcal
