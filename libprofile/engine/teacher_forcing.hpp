// SPDX-License-Identifier: Apache-2.0
// Teacher forcing: what a cache makes of a given answer, token by token, and how far that is from
// what the full cache makes of it.
#pragma once

#include <ATen/core/Tensor.h>

#include <functional>
#include <span>
#include <vector>

#include "kvcal/profile/engine.hpp"

namespace kvcal {

/// Token ids of the first reference, at most max_new_tokens; empty without a reference. A raw
/// prompt and a reply that has begun go on with a space unless they end in white space; a chat turn
/// starts anew.
std::vector<int64_t> encode_reference(const Sample& sample, const Tokenizer& tokenizer);

/// Tokens that are fed in one pass, about: their entries and activations are held at once.
constexpr int64_t kForcedTokens = 1024;

/// A cache in front of an answer, with room for it; left as it was.
struct BeforeAnswer {
  const CompactCache* cache = nullptr;
  at::Tensor first_logits;  ///< [1, vocab] f32: row of an answer's first token
};

/// For each answer [its tokens, vocab] f32: log-probabilities of each token, given those before it.
using AnswerRows = std::vector<at::Tensor>;

/// Called with the rows of each sequence, one after the other: those of one are held at a time.
using VisitAnswers = std::function<void(size_t sequence, const AnswerRows& rows)>;

/// Feeds the answers to all sequences, as many in one pass as kForcedTokens allows. A sequence's
/// rows have the same bits whatever the others are.
///
/// @param answers  of at least one token each
void force_answers(const Model& model, std::span<const BeforeAnswer> sequences,
                   std::span<const std::vector<int64_t>> answers, const VisitAnswers& visit);

/// The same for one sequence.
AnswerRows answer_log_probabilities(const Model& model, const CompactCache& cache,
                                    const at::Tensor& first_logits,
                                    std::span<const std::vector<int64_t>> answers);

/// force_answers over caches that are a prompt's but for the prefix of one layer. Tokens come to
/// that layer as they do over the prompt's own cache, so that each is fed from its layer on: on
/// average half the work, with the same bits.
class OneLayerForcing {
 public:
  /// @param whole    the prompt's cache; outlives this, as model and answers do
  OneLayerForcing(const Model& model, const BeforeAnswer& whole,
                  std::span<const std::vector<int64_t>> answers);

  /// Sequence i has prefixes[i] under `layer`.
  void force(int64_t layer, std::span<const CompactLayer> prefixes,
             const VisitAnswers& visit) const;

 private:
  const Model& model_;
  BeforeAnswer whole_;
  std::span<const std::vector<int64_t>> answers_;
  std::vector<at::Tensor> stream_;  // [layers] of [fed tokens, hidden]; empty: nothing is fed
};

/// Mean negative log-likelihood of the answer's tokens, nats.
double mean_nll(const at::Tensor& log_probabilities, std::span<const int64_t> answer);

/// Sets kl and top1_agreement over rows first_row .. n - 1; leaves them where there is none.
/// @param full, variant  [n, vocab] log-probabilities
void compare_distributions(const at::Tensor& full, const at::Tensor& variant, int64_t first_row,
                           Fidelity& fidelity);

}  // namespace kvcal
