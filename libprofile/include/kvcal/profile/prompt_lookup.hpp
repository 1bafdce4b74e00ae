// SPDX-License-Identifier: Apache-2.0
// Greedy decoding of an answer that copies from its prompt. What may come next is looked up in what
// was read, fed in one pass with the last token, and kept as far as the model chooses it. A row has
// the same bits alone and in a pass, so the answer is that of one step a token: weights are only
// read fewer times.
// Source: prompt lookup decoding (A. Saxena, 2023), by the longest suffix instead of a fixed one.
#pragma once

#include <functional>
#include <span>
#include <vector>

#include "kvcal/profile/engine.hpp"

namespace kvcal {

/// Guesses what an answer goes on with.
class PromptLookup {
 public:
  /// @param prompt   token ids
  /// @param opening  what the answer is expected to begin with; may be empty
  PromptLookup(std::span<const int64_t> prompt, std::span<const int64_t> opening);

  /// What followed the longest piece of text that ends as `answer` does; of several, the last one.
  /// @param answer  its tokens so far
  /// @return  at most `most` tokens; empty: no guess
  std::vector<int64_t> next(std::span<const int64_t> answer, int64_t most) const;

 private:
  std::vector<int64_t> read_;  ///< prompt, then opening
  size_t prompt_tokens_;
};

/// Tokens fed in one pass, and what the model chose behind them.
struct LookupPass {
  std::span<const at::Tensor> queries;  ///< [layers], each [heads, chosen, head_dim] after RoPE
  const CompactCache& cache;            ///< the last tokens of its tail are those that were fed
  std::span<const int64_t> chosen;      ///< behind each of them; a stop token may be the last
};

/// As `generate` behind a prompt whose last token is still to be fed, to the same bits on the CPU.
///
/// @param cache    room for max_new_tokens behind what it holds
/// @param on_pass  called after each pass, or null
Generation generate_by_lookup(const Model& model, CompactCache& cache, int64_t last_token,
                              const PromptLookup& lookup, int64_t max_new_tokens,
                              const StopRule& stop,
                              const std::function<void(const LookupPass&)>& on_pass = {});

/// As generate_together of one sequence without a mask, to the same bits on the CPU.
/// @param sequence  its cache holds the whole prompt
void generate_by_lookup(const Model& model, Continuation& sequence, const PromptLookup& lookup,
                        const StopRule& stop);

}  // namespace kvcal
