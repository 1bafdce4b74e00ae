// SPDX-License-Identifier: Apache-2.0
#include "kvcal/compress/error.hpp"
#include "kvcal/profile/engine.hpp"

namespace kvcal {

namespace {

constexpr std::pair<std::string_view, Visibility> kVisibilities[] = {
    {"aware", Visibility::aware}, {"agnostic", Visibility::agnostic}, {"multi", Visibility::multi}};

}  // namespace

Visibility parse_visibility(std::string_view text) {
  for (const auto& [name, visibility] : kVisibilities) {
    if (name == text) return visibility;
  }
  fail(Kind::config, "unknown visibility '{}' (known: aware, agnostic, multi)", text);
}

std::string_view to_string(Visibility visibility) {
  for (const auto& [name, value] : kVisibilities) {
    if (value == visibility) return name;
  }
  return "unknown";
}

std::string prompt_text(const Sample& sample, const ChatFormat& chat) {
  const std::string message = sample.context + sample.question;
  return (sample.chat ? chat.wrap(message) : message) + sample.answer_prefix;
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
  require(!sample.context.empty() && !sample.question.empty(), Kind::input,
          "sample {}: visibility {} needs a context and a question of their own, not one prompt",
          sample.id, to_string(visibility));
  // The cut lies between two tokenizations, so that the context never sees the question's bytes.
  const std::string before = sample.chat ? chat.open(sample.context) : sample.context;
  const std::string after =
      (sample.chat ? chat.close(sample.question) : sample.question) + sample.answer_prefix;
  tokens.context = tokenizer.encode(before, adds_special_tokens);
  tokens.question = tokenizer.encode(after, /*add_special_tokens=*/false);
  return tokens;
}

}  // namespace kvcal
