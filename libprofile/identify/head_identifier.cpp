// SPDX-License-Identifier: Apache-2.0
#include <ATen/ATen.h>

#include "kvcal/compress/error.hpp"
#include "kvcal/profile/identify.hpp"
#include "kvcal/profile/metric.hpp"

namespace kvcal {
namespace {

std::string with_question(std::string text, const std::string& question) {
  constexpr std::string_view kSlot = "{question}";
  const size_t at = text.find(kSlot);
  require(at != std::string::npos, Kind::config, "instruction '{}' lacks {{question}}", text);
  return text.replace(at, kSlot.size(), question);
}

void add(const std::vector<float>& scores, int64_t layers, int64_t heads, HeadScores& total) {
  total.layers = layers;
  total.heads = heads;
  total.sum.resize(scores.size());
  for (size_t i = 0; i < scores.size(); ++i) total.sum[i] += static_cast<double>(scores[i]);
  ++total.count;
  total.per_prompt.insert(total.per_prompt.end(), scores.begin(), scores.end());
}

}  // namespace

HeadIdentifier::HeadIdentifier(const Model& model, const Tokenizer& tokenizer,
                               const ChatFormat& chat, IdentifyProtocol protocol)
    : model_(model), tokenizer_(tokenizer), chat_(chat), protocol_(std::move(protocol)) {}

std::string HeadIdentifier::prompt(const Trial& trial, const std::vector<Needle>& needles,
                                   const std::vector<HaystackTokens>& haystacks) const {
  const auto& needle = needles.at(trial.needle);
  NeedleContextRequest request;
  request.length_tokens = trial.length_tokens;
  request.depth = trial.depth;
  request.start_token = trial.start_token;
  request.placement = protocol_.placement;
  const std::string text = haystacks.at(trial.haystack).fill(needle, request) +
                           with_question(protocol_.instruction, needle.question);
  return protocol_.uses_chat ? chat_.wrap(text) : text;
}

std::vector<int64_t> HeadIdentifier::stop_ids() const {
  if (protocol_.stops_at_model_stop) return model_.config().stop_ids;
  // The authors stop at a newline byte token or id 144, and not at EOS.
  std::vector<int64_t> ids{144};
  if (const auto newline = tokenizer_.token_id("<0x0A>")) ids.push_back(*newline);
  return ids;
}

TrialResult HeadIdentifier::run(const std::string& prompt, const Needle& needle) const {
  const auto& config = model_.config();
  TrialResult result;
  result.prompt_sha256 = sha256(prompt);
  const auto ids = tokenizer_.encode(prompt, !protocol_.uses_chat || chat_.adds_special_tokens());
  result.prompt_tokens = static_cast<int64_t>(ids.size());
  const int64_t needed = result.prompt_tokens + protocol_.max_new_tokens;
  require(needed <= config.max_tokens, Kind::input,
          "needle {}: {} prompt tokens + {} new ones, the model takes {}", needle.id,
          result.prompt_tokens, protocol_.max_new_tokens, config.max_tokens);
  const auto span = find_answer_span(tokenizer_, ids, needle.answer, protocol_.placement);
  result.has_span = span.size() > 0;

  // The last prompt token is fed as the first decode step: its queries produce the first new token.
  const auto head = std::span(ids).first(ids.size() - 1);
  auto cache = prefill(model_, head, Needs{}).cache.sealed(protocol_.max_new_tokens + 1);
  RetrievalObserver observer(config.layers, config.heads, ids, span, protocol_.counts_repeats);
  const auto logits = model_.forward(std::span(ids).last(1), cache, LogitsWanted::last, &observer);
  const auto on_token = [&](int64_t id) {
    observer.token_chosen(id);
    return true;
  };
  const auto generation =
      generate(model_, cache, logits, protocol_.max_new_tokens, {stop_ids()}, &observer, on_token);

  result.reply = tokenizer_.decode(generation.ids);
  const std::vector<std::string> references{needle.answer};
  result.recall = find_metric("niah_rouge1_recall").score({result.reply, references, {}});
  result.has_passed = result.recall > protocol_.gate_recall;
  result.semantic = observer.semantic();
  result.traditional = observer.traditional();
  return result;
}

void accumulate(const TrialResult& result, int64_t layers, int64_t heads, HeadScores& semantic,
                HeadScores& traditional) {
  add(result.semantic, layers, heads, semantic);
  add(result.traditional, layers, heads, traditional);
}

}  // namespace kvcal
