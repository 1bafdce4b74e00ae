// SPDX-License-Identifier: Apache-2.0
#include "engine/rewrite.hpp"

#include <algorithm>

#include "engine/replay.hpp"
#include "kvcal/compress/error.hpp"

namespace kvcal {
namespace {

/// Less room than this behind the prompt is no room for an answer.
constexpr int64_t kLeastAnswerTokens = 16;

std::string with_words(std::string request, int64_t budget_tokens) {
  constexpr std::string_view kPlace = "{words}";
  const auto place = request.find(kPlace);
  if (place == std::string::npos) return request;
  return request.replace(place, kPlace.size(),
                         std::to_string(std::max<int64_t>(1, budget_tokens * 3 / 4)));
}

}  // namespace

Asked ask(const PromptReader& reader, bool is_chat, const std::string& request,
          int64_t answer_tokens, const Prefilled& prompt, LayerObserver* observer) {
  const auto& config = reader.model.config();
  const bool has_turns = is_chat && !reader.chat.suffix().empty();
  const std::string turn = has_turns ? reader.chat.suffix() : "\n";  // the model's turn begins
  const auto ids = reader.tokenizer.encode("\n\n" + request + turn, /*add_special_tokens=*/false);
  const auto fed = static_cast<int64_t>(ids.size());
  const int64_t room = config.max_tokens - prompt.tokens() - fed;
  require(room >= std::min(answer_tokens, kLeastAnswerTokens), Kind::input,
          "{}: to ask about a prompt of {} tokens takes {} + {} more, the model takes {}",
          config.name, prompt.tokens(), fed, kLeastAnswerTokens, config.max_tokens);
  auto cache = prompt.cache.sealed(fed + std::min(answer_tokens, room));
  const auto logits = reader.model.forward(ids, cache, LogitsWanted::last, observer);
  const auto answer = generate(reader.model, cache, logits, std::min(answer_tokens, room),
                               {config.stop_ids}, observer);
  Asked asked{answer.ids, ids};
  asked.fed.insert(asked.fed.end(), answer.ids.begin(), answer.ids.begin() + answer.steps);
  return asked;
}

CompactCache rewrite(const PromptReader& reader, bool is_chat, const Method& method,
                     int64_t budget_tokens, const Prefilled& prompt) {
  const int64_t lead = ReplayText(reader.tokenizer, reader.chat, is_chat).prefix_tokens;
  require(budget_tokens > lead, Kind::config,
          "method {}: a budget of {} tokens has no room for a text behind the {} that the chat "
          "format puts first",
          method.name, budget_tokens, lead);
  const auto answer = ask(reader, is_chat, with_words(method.rewrite_request, budget_tokens),
                          budget_tokens - lead, prompt, nullptr)
                          .answer;
  std::vector<int64_t> ids(prompt.ids.begin(), prompt.ids.begin() + lead);
  ids.insert(ids.end(), answer.begin(), answer.end());
  if (ids.empty()) ids.push_back(prompt.ids.front());  // a model that says nothing
  return prefill(reader.model, ids, Needs()).cache.sealed(/*tail_capacity=*/0);
}

}  // namespace kvcal
