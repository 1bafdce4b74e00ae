// SPDX-License-Identifier: Apache-2.0
#include "kvcal/compress/error.hpp"
#include "kvcal/profile/engine.hpp"

namespace kvcal {

Visibility parse_visibility(std::string_view text) {
  if (text == "aware") return Visibility::aware;
  if (text == "agnostic") return Visibility::agnostic;
  fail(Kind::config, "unknown visibility '{}' (known: aware, agnostic)", text);
}

std::string_view to_string(Visibility visibility) {
  return visibility == Visibility::aware ? "aware" : "agnostic";
}

std::string prompt_text(const Sample& sample, const ChatFormat& chat) {
  const std::string message = sample.context + sample.question;
  return sample.chat ? chat.wrap(message) : message;
}

PromptTokens tokenize_prompt(const Sample& sample, const ChatFormat& chat,
                             const Tokenizer& tokenizer, Visibility visibility) {
  PromptTokens tokens;
  // A chat format may spell BOS itself; adding it again would give two.
  const bool adds_special_tokens = !sample.chat || chat.adds_special_tokens();
  if (visibility == Visibility::aware) {
    tokens.context = tokenizer.encode(prompt_text(sample, chat), adds_special_tokens);
    return tokens;
  }
  require(
      !sample.context.empty() && !sample.question.empty(), Kind::input,
      "sample {}: visibility agnostic needs a context and a question of their own, not one prompt",
      sample.id);
  // The cut lies between two tokenizations, so that the context never sees the question's bytes.
  const std::string before = sample.chat ? chat.prefix() + sample.context : sample.context;
  const std::string after = sample.chat ? sample.question + chat.suffix() : sample.question;
  tokens.context = tokenizer.encode(before, adds_special_tokens);
  tokens.question = tokenizer.encode(after, /*add_special_tokens=*/false);
  return tokens;
}

}  // namespace kvcal
