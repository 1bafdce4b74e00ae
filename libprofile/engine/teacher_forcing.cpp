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

  std::span<const Feed> feeds() const { return feeds_; }

  /// Of the next sequence.
  /// @param hidden  [fed tokens, hidden] after the last norm; undefined where nothing is fed
  AnswerRows take_rows(const Model& model, const at::Tensor& hidden,
                       const at::Tensor& first_logits) {
    AnswerRows rows;
    for (const auto& answer : answers_) {
      auto logits = first_logits.view({1, -1});
      const auto fed = static_cast<int64_t>(fed_part(answer).size());
      if (fed > 0) logits = at::cat({logits, model.logits(hidden.narrow(0, taken_, fed))});
      taken_ += fed;
      rows.push_back(at::log_softmax(logits, -1));
    }
    return rows;
  }

 private:
  std::span<const std::vector<int64_t>> answers_;
  std::vector<CompactCache> branches_;
  std::vector<Feed> feeds_;
  int64_t taken_ = 0;
};

/// As many sequences in one pass as kForcedTokens allows.
/// @param forward  (feeds, sequences) -> [fed tokens, hidden] after the last norm
template <class Forward>
void force_in_passes(const Model& model, std::span<const BeforeAnswer> sequences,
                     std::span<const std::vector<int64_t>> answers, const VisitAnswers& visit,
                     const Forward& forward) {
  int64_t tokens = 0;  // of one sequence
  for (const auto& answer : answers) tokens += static_cast<int64_t>(answer.size()) - 1;
  const auto at_once =
      static_cast<size_t>(std::max<int64_t>(1, kForcedTokens / std::max<int64_t>(1, tokens)));
  for (size_t first = 0; first < sequences.size(); first += at_once) {
    const auto some = sequences.subspan(first, std::min(at_once, sequences.size() - first));
    ForcedPass pass(some, answers);
    at::Tensor hidden;
    if (tokens > 0) hidden = forward(pass.feeds(), some.size());
    for (size_t i = 0; i < some.size(); ++i) {
      visit(first + i, pass.take_rows(model, hidden, some[i].first_logits));
    }
  }
}

}  // namespace

void force_answers(const Model& model, std::span<const BeforeAnswer> sequences,
                   std::span<const std::vector<int64_t>> answers, const VisitAnswers& visit) {
  force_in_passes(model, sequences, answers, visit, [&](std::span<const Feed> feeds, size_t) {
    return model.forward_together(feeds);
  });
}

OneLayerForcing::OneLayerForcing(const Model& model, const BeforeAnswer& whole,
                                 std::span<const std::vector<int64_t>> answers)
    : model_(model), whole_(whole), answers_(answers) {
  const ForcedPass pass({&whole, 1}, answers);
  if (!pass.feeds().empty()) stream_ = model.residual_stream(pass.feeds());
}

void OneLayerForcing::force(int64_t layer, std::span<const CompactLayer> prefixes,
                            const VisitAnswers& visit) const {
  std::vector<CompactCache> caches;
  caches.reserve(prefixes.size());  // sequences point into it
  std::vector<BeforeAnswer> sequences;
  for (const auto& prefix : prefixes) {
    caches.push_back(whole_.cache->branch(whole_.cache->tail_tokens()));
    caches.back().replace_prefix(layer, prefix);
    sequences.push_back({&caches.back(), whole_.first_logits});
  }
  force_in_passes(
      model_, sequences, answers_, visit, [&](std::span<const Feed> feeds, size_t count) {
        const auto& hidden = stream_[static_cast<size_t>(layer)];
        return model_.forward_from(layer, hidden.repeat({static_cast<int64_t>(count), 1}), feeds);
      });
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
