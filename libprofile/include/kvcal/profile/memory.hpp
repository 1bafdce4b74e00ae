// SPDX-License-Identifier: Apache-2.0
// How much memory a sweep takes, told before it starts.
#pragma once

#include <cstdint>
#include <span>

#include "kvcal/profile/engine.hpp"

namespace kvcal {

/// A prompt as far as memory is concerned, e.g. the largest of a run.
struct PromptShape {
  int64_t tokens = 0;         ///< that compression sees
  int64_t tail_tokens = 0;    ///< question and answer behind them
  int64_t element_bytes = 2;  ///< of weights and KV entries
  int64_t chunk_tokens = ModelOptions().prefill_chunk_tokens;
};

/// Bytes. All parts grow with the number of tokens, none with its square.
struct MemoryPlan {
  int64_t weights = 0;
  int64_t prompt = 0;       ///< KV entries of the prompt, and of the one before it (prefix reuse)
  int64_t statistics = 0;   ///< window queries, column sums, moments, scores
  int64_t activations = 0;  ///< of one chunk, with the logits of answers
  /// What costly methods made of the prompt: held for the next question about it, whatever is
  /// decoded.
  int64_t compactions = 0;
  int64_t variants = 0;  ///< caches of all variants together, less what is held anyway
  int64_t largest_variant = 0;

  /// With all variants in one batch.
  int64_t total() const {
    return weights + prompt + statistics + activations + compactions + variants;
  }
  /// With one variant at a time.
  int64_t least() const { return total() - variants + largest_variant; }
};

MemoryPlan predict_memory(const ModelConfig& model, const PromptShape& prompt,
                          std::span<const Variant> variants);

/// Bytes of the entries that a variant keeps. The full cache shares the prompt's, and so does a
/// prompt that is kept whole; under a mask its last token is fed again, so that it has a copy.
int64_t kept_bytes(const ModelConfig& model, const PromptShape& prompt, const Variant& variant);

/// Bytes of a variant's own cache: the tail, and what it keeps unless that is held anyway.
int64_t variant_bytes(const ModelConfig& model, const PromptShape& prompt, const Variant& variant);

/// Numbers in the weights, norms and biases left out: their share is below a thousandth.
int64_t parameter_count(const ModelConfig& model);

}  // namespace kvcal
