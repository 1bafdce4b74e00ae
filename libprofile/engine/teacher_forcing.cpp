// SPDX-License-Identifier: Apache-2.0
#include "engine/teacher_forcing.hpp"

#include <ATen/ATen.h>

namespace kvcal {

std::vector<int64_t> encode_reference(const Sample& sample, const Tokenizer& tokenizer) {
  if (sample.references.empty()) return {};
  const bool has_begun = !sample.answer_prefix.empty();
  const std::string before = has_begun ? sample.answer_prefix : sample.context + sample.question;
  const bool needs_space = (has_begun || !sample.chat) && !before.empty() &&
                           std::string_view(" \n\t").find(before.back()) == std::string_view::npos;
  auto ids = tokenizer.encode((needs_space ? " " : "") + sample.references.front(),
                              /*add_special_tokens=*/false);
  ids.resize(std::min<size_t>(ids.size(), static_cast<size_t>(sample.max_new_tokens)));
  return ids;
}

std::vector<at::Tensor> answer_log_probabilities(const Model& model, const CompactCache& cache,
                                                 const at::Tensor& first_logits,
                                                 std::span<const std::vector<int64_t>> answers) {
  std::vector<CompactCache> branches;
  std::vector<Feed> feeds;
  branches.reserve(answers.size());  // feeds point into it
  for (const auto& answer : answers) {
    if (answer.size() < 2) continue;  // the first row is known
    const auto fed = std::span(answer).first(answer.size() - 1);
    branches.push_back(cache.branch(cache.tail_tokens() + static_cast<int64_t>(fed.size())));
    feeds.push_back({fed, &branches.back()});
  }
  const auto fed_logits = feeds.empty() ? at::Tensor() : model.forward_together(feeds);
  std::vector<at::Tensor> results;
  int64_t row = 0;
  for (const auto& answer : answers) {
    auto logits = first_logits.view({1, -1});
    const auto fed = static_cast<int64_t>(answer.size()) - 1;
    if (fed > 0) logits = at::cat({logits, fed_logits.narrow(0, row, fed)});
    row += fed;
    results.push_back(at::log_softmax(logits, -1));
  }
  return results;
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
