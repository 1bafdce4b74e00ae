// SPDX-License-Identifier: Apache-2.0
// Teacher forcing: what a cache makes of a given answer, token by token, and how far that is from
// what the full cache makes of it.
#pragma once

#include <ATen/core/Tensor.h>

#include <span>
#include <vector>

#include "kvcal/profile/engine.hpp"

namespace kvcal {

/// Token ids of the first reference, at most max_new_tokens; empty without a reference. A raw
/// prompt and a reply that has begun go on with a space unless they end in white space; a chat turn
/// starts anew.
std::vector<int64_t> encode_reference(const Sample& sample, const Tokenizer& tokenizer);

/// Log-probabilities over the vocabulary of each token of some answers, given those before it. All
/// answers are fed in one pass.
///
/// @param first_logits  [1, vocab] f32: row of an answer's first token
/// @param cache         in front of the answers, with room for each of them; left as it was
/// @param answers       of at least one token each
/// @return  for each answer [its tokens, vocab] f32
std::vector<at::Tensor> answer_log_probabilities(const Model& model, const CompactCache& cache,
                                                 const at::Tensor& first_logits,
                                                 std::span<const std::vector<int64_t>> answers);

/// Mean negative log-likelihood of the answer's tokens, nats.
double mean_nll(const at::Tensor& log_probabilities, std::span<const int64_t> answer);

/// Sets kl and top1_agreement over rows first_row .. n - 1; leaves them where there is none.
/// @param full, variant  [n, vocab] log-probabilities
void compare_distributions(const at::Tensor& full, const at::Tensor& variant, int64_t first_row,
                           Fidelity& fidelity);

}  // namespace kvcal
