// SPDX-License-Identifier: Apache-2.0
#include "engine/study.hpp"

#include <algorithm>

#include "engine/reference_observer.hpp"
#include "engine/rewrite.hpp"
#include "kvcal/compress/error.hpp"
#include "kvcal/profile/resources.hpp"
#include "kvcal/profile/yaml.hpp"

namespace kvcal {
namespace {

int64_t whole_number(const YamlMap& map, const std::string& key) {
  const std::string text = map.text(key);
  const bool is_number = !text.empty() && text.size() < 10 &&
                         text.find_first_not_of("0123456789") == std::string::npos;
  require(is_number && std::stoll(text) >= 1, Kind::config, "{}: {} = {}, need a whole number >= 1",
          map.where(key), key, text);
  return std::stoll(text);
}

}  // namespace

StudyPlan StudyPlan::load(const std::filesystem::path& yaml) {
  const auto map = YamlMap::load(yaml);
  map.require_only({"name", "requests", "questions", "most_questions", "answer_tokens"});
  StudyPlan plan;
  for (const auto& [name, entry] : map.params("requests")) {
    const auto* text = std::get_if<std::string>(&entry.value);
    require(text != nullptr, Kind::config, "{}: request {} is no text", entry.where, name);
    plan.requests.push_back(*text);
  }
  require(!plan.requests.empty(), Kind::config, "{}: no requests, need at least one",
          map.where("requests"));
  plan.questions = map.optional_text("questions").value_or("");
  if (!plan.questions.empty()) plan.most_questions = whole_number(map, "most_questions");
  plan.answer_tokens = whole_number(map, "answer_tokens");
  return plan;
}

std::vector<std::string> split_questions(const std::string& answer, int64_t most) {
  std::vector<std::string> questions;
  for (size_t begin = 0; begin < answer.size();) {
    const size_t end = std::min(answer.find('\n', begin), answer.size());
    const size_t first = answer.find_first_not_of(" \t0123456789.)-*:", begin);
    if (first < end) questions.push_back(answer.substr(first, end - first));
    if (static_cast<int64_t>(questions.size()) == most) break;
    begin = end + 1;
  }
  return questions;
}

void study(const Model& model, const Tokenizer& tokenizer, const ChatFormat& chat, bool is_chat,
           const Needs& needs, Prefilled& prompt) {
  if (needs.study_queries == 0) return;
  const auto plan = StudyPlan::load(resource("configs/study/default.yaml"));
  study(model, tokenizer, chat, plan, is_chat, needs, prompt);
}

void study(const Model& model, const Tokenizer& tokenizer, const ChatFormat& chat,
           const StudyPlan& plan, bool is_chat, const Needs& needs, Prefilled& prompt) {
  if (needs.study_queries == 0) return;
  ReferenceObserver observer(&LayerStatistics::study_queries, needs.study_queries,
                             prompt.statistics);
  const PromptReader reader{model, tokenizer, chat};
  // Each is asked as if it was the first.
  const auto answer_to = [&](const std::string& request) {
    auto asked = ask(reader, is_chat, request, plan.answer_tokens, prompt, &observer);
    prompt.reference_texts.push_back({&LayerStatistics::study_queries, std::move(asked.fed)});
    return tokenizer.decode(asked.answer);
  };
  for (const auto& request : plan.requests) answer_to(request);
  if (plan.questions.empty()) return;
  const auto questions = split_questions(answer_to(plan.questions), plan.most_questions);
  for (const auto& question : questions) answer_to(question);
}

}  // namespace kvcal
