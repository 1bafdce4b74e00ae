// SPDX-License-Identifier: Apache-2.0
#include "engine/teacher_forcing.hpp"

#include <ATen/ATen.h>

#include <algorithm>

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

namespace {

/// Tokens of an answer that are fed: the first one's row is known.
std::span<const int64_t> fed_part(const std::vector<int64_t>& answer) {
  return std::span(answer).first(answer.size() - 1);
}

/// One pass over some of the sequences.
class ForcedPass {
 public:
  ForcedPass(std::span<const BeforeAnswer> sequences, std::span<const std::vector<int64_t>> answers)
      : answers_(answers) {
    branches_.reserve(sequences.size() * answers.size());  // feeds point into it
    for (const auto& sequence : sequences) {
      for (const auto& answer : answers) {
        const auto fed = fed_part(answer);
        if (fed.empty()) continue;
        const int64_t room = sequence.cache->tail_tokens() + static_cast<int64_t>(fed.size());
        branches_.push_back(sequence.cache->branch(room));
        feeds_.push_back({fed, &branches_.back()});
      }
    }
  }

  void feed(const Model& model) {
    if (!feeds_.empty()) hidden_ = model.forward_together(feeds_);
  }

  /// Of the next sequence.
  AnswerRows take_rows(const Model& model, const at::Tensor& first_logits) {
    AnswerRows rows;
    for (const auto& answer : answers_) {
      auto logits = first_logits.view({1, -1});
      const auto fed = static_cast<int64_t>(fed_part(answer).size());
      if (fed > 0) logits = at::cat({logits, model.logits(hidden_.narrow(0, taken_, fed))});
      taken_ += fed;
      rows.push_back(at::log_softmax(logits, -1));
    }
    return rows;
  }

 private:
  std::span<const std::vector<int64_t>> answers_;
  std::vector<CompactCache> branches_;
  std::vector<Feed> feeds_;
  at::Tensor hidden_;  // [fed tokens, hidden]
  int64_t taken_ = 0;
};

}  // namespace

void force_answers(const Model& model, std::span<const BeforeAnswer> sequences,
                   std::span<const std::vector<int64_t>> answers,
                   const std::function<void(size_t, const AnswerRows&)>& visit) {
  int64_t tokens = 0;  // of one sequence
  for (const auto& answer : answers) tokens += static_cast<int64_t>(answer.size()) - 1;
  const auto at_once =
      static_cast<size_t>(std::max<int64_t>(1, kForcedTokens / std::max<int64_t>(1, tokens)));
  for (size_t first = 0; first < sequences.size(); first += at_once) {
    const auto some = sequences.subspan(first, std::min(at_once, sequences.size() - first));
    ForcedPass pass(some, answers);
    pass.feed(model);
    for (size_t i = 0; i < some.size(); ++i) {
      visit(first + i, pass.take_rows(model, some[i].first_logits));
    }
  }
}

AnswerRows answer_log_probabilities(const Model& model, const CompactCache& cache,
                                    const at::Tensor& first_logits,
                                    std::span<const std::vector<int64_t>> answers) {
  AnswerRows result;
  const BeforeAnswer before{&cache, first_logits};
  force_answers(model, {&before, 1}, answers,
                [&](size_t, const AnswerRows& rows) { result = rows; });
  return result;
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
