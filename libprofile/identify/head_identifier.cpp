// SPDX-License-Identifier: Apache-2.0
#include <ATen/ATen.h>

#include <algorithm>
#include <cmath>

#include "kvcal/compress/error.hpp"
#include "kvcal/compress/kernels.hpp"
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

/// First tokens that take the attention that a head has no use for (StreamingLLM's sinks).
constexpr int64_t kSinkTokens = 4;

/// [layers, heads]: of the attention that the window's rows give to the tokens between sinks and
/// window, the share on the answer.
std::vector<float> window_scores(const Model& model, const Prefilled& prompt, TokenSpan span) {
  const auto& config = model.config();
  const int64_t group = config.heads / config.kv_heads;
  const double scale = 1.0 / std::sqrt(static_cast<double>(config.head_dim));
  std::vector<float> scores;
  for (int64_t layer = 0; layer < config.layers; ++layer) {
    const auto& queries = prompt.window_queries[static_cast<size_t>(layer)];
    const auto keys = prompt.cache.tail_keys(layer);  // [kv_heads, tokens, head_dim]
    for (int64_t k = 0; k < config.kv_heads; ++k) {
      const auto rows = window_attention(queries.narrow(0, k * group, group), keys.narrow(0, k, 1),
                                         scale);  // [group, window, tokens]
      const auto mass_on = [&](int64_t first, int64_t end) {
        return rows.slice(2, first, end).sum(at::IntArrayRef{1, 2});  // [group]
      };
      const auto past = mass_on(kSinkTokens, rows.size(2) - rows.size(1));
      const auto share = (mass_on(span.begin, span.end) / past.clamp_min(1e-20)).to(at::kCPU);
      const float* begin = share.const_data_ptr<float>();
      scores.insert(scores.end(), begin, begin + group);
    }
  }
  return scores;
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
  Needs needs;
  needs.window_tokens = std::min<int64_t>(kScoredWindowTokens, static_cast<int64_t>(head.size()));
  const auto prefilled = prefill(model_, head, needs);
  result.scores["window"] = window_scores(model_, prefilled, span);
  auto cache = prefilled.cache.sealed(protocol_.max_new_tokens + 1);
  RetrievalScores scores(config.layers, config.heads, ids, span, protocol_.counts_repeats);
  // A model that has found the needle mostly says it again.
  const PromptLookup lookup(ids, tokenizer_.encode(needle.needle, false));
  const auto generation =
      generate_by_lookup(model_, cache, ids.back(), lookup, protocol_.max_new_tokens, {stop_ids()},
                         [&](const LookupPass& pass) { scores.add(pass); });

  result.reply = tokenizer_.decode(generation.ids);
  const std::vector<std::string> references{needle.answer};
  result.recall = find_metric("niah_rouge1_recall").score({result.reply, references, {}});
  result.has_passed = result.recall > protocol_.gate_recall;
  result.scores["semantic"] = scores.semantic();
  result.scores["traditional"] = scores.traditional();
  return result;
}

void accumulate(const TrialResult& result, int64_t layers, int64_t heads,
                std::map<std::string, HeadScores>& scores) {
  for (const auto& [kind, of_trial] : result.scores) add(of_trial, layers, heads, scores[kind]);
}

}  // namespace kvcal
