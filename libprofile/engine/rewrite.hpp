// SPDX-License-Identifier: Apache-2.0
// A text in place of another: the model is asked about a prompt (for a summary, say), and its
// answer is read as if it were the prompt. What compaction has to be better than.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "kvcal/profile/engine.hpp"

namespace kvcal {

struct Asked {
  std::vector<int64_t> answer;  ///< without its stop token
  std::vector<int64_t> fed;     ///< the request, and of the answer what the model read
};

/// Greedy answer to a request behind a prefilled prompt.
/// @param observer  of the request and the answer, or null
/// @throws Error{input} the model has no room behind the prompt
Asked ask(const PromptReader& reader, bool is_chat, const std::string& request,
          int64_t answer_tokens, const Prefilled& prompt, LayerObserver* observer);

/// The answer to the method's rewrite_request, prefilled behind what the chat format puts first.
/// `{words}` in the request is three quarters of the budget.
///
/// @return  at most budget_tokens entries a layer and KV head; new tokens follow the new text
/// @throws Error{config} the budget has no room for an answer
CompactCache rewrite(const PromptReader& reader, bool is_chat, const Method& method,
                     int64_t budget_tokens, const Prefilled& prompt);

}  // namespace kvcal
