// SPDX-License-Identifier: Apache-2.0
#include "engine/replay.hpp"

#include <ATen/ATen.h>

#include <algorithm>

#include "engine/reference_observer.hpp"
#include "kvcal/compress/error.hpp"
#include "kvcal/compress/kernels.hpp"

namespace kvcal {
namespace {

/// Last tokens of the previous chunk that say where the next one starts (kvpress:
/// prev_postfix_size).
constexpr int64_t kCueTokens = 8;
/// A model without room for the prompt and a whole chunk re-reads shorter chunks, down to this.
constexpr int64_t kLeastChunkTokens = 128;

void append(std::vector<int64_t>& ids, std::span<const int64_t> more) {
  ids.insert(ids.end(), more.begin(), more.end());
}

/// The chunk that the model has room for behind the prompt.
int64_t fitting_chunk(const ModelConfig& model, int64_t tokens, const ReplayText& text,
                      int64_t chunk_tokens) {
  const auto asking = static_cast<int64_t>(
      std::max(text.repeat_all.size(), text.repeat_part.size() + kCueTokens) + text.turn.size());
  const int64_t wanted = std::min(chunk_tokens, tokens - text.prefix_tokens);
  const int64_t room = model.max_tokens - tokens - asking;
  const int64_t least = std::min(wanted, kLeastChunkTokens);
  require(room >= least, Kind::input,
          "{}: to re-read a prompt of {} tokens takes {} + {} more, the model takes {}", model.name,
          tokens, asking, least, model.max_tokens);
  return std::min(wanted, room);
}

/// to[i] = max(to[i], from[i])
void raise(at::Tensor to, const at::Tensor& from) {
  at::maximum_out(to, to, from);
}

}  // namespace

ReplayText::ReplayText(const Tokenizer& tokenizer, const ChatFormat& chat, bool is_chat) {
  const auto encode = [&](std::string_view text) {
    return tokenizer.encode(text, /*add_special_tokens=*/false);
  };
  repeat_all = encode("\n\nRepeat the previous context exactly.");
  repeat_part = encode("\n\nRepeat the part of the previous context exactly, starting with");
  const bool is_wrapped = is_chat && !chat.suffix().empty();
  turn = encode(is_wrapped ? chat.suffix() : "\n");  // "\n": kvpress without a chat template
  if (is_wrapped && !chat.prefix().empty()) {
    prefix_tokens =
        static_cast<int64_t>(tokenizer.encode(chat.prefix(), chat.adds_special_tokens()).size());
  }
}

std::vector<ReplayPass> plan_replay(std::span<const int64_t> ids, const ReplayText& text,
                                    int64_t chunk_tokens) {
  const auto tokens = static_cast<int64_t>(ids.size());
  const auto part = [&](int64_t begin, int64_t end) {
    return ids.subspan(static_cast<size_t>(begin), static_cast<size_t>(end - begin));
  };
  std::vector<ReplayPass> passes;
  for (int64_t begin = text.prefix_tokens; begin < tokens; begin += chunk_tokens) {
    auto& pass = passes.emplace_back();
    pass.begin = begin;
    pass.end = std::min(begin + chunk_tokens, tokens);
    const bool is_first = begin == text.prefix_tokens;
    pass.fed = is_first ? text.repeat_all : text.repeat_part;
    if (!is_first)
      append(pass.fed, part(std::max(begin - kCueTokens, begin - chunk_tokens), begin));
    append(pass.fed, text.turn);
    append(pass.fed, part(begin, pass.end));
  }
  return passes;
}

ReplayObserver::ReplayObserver(const CompactCache& prompt, const ReplayPass& pass, bool is_weighted,
                               std::vector<LayerStatistics>& statistics)
    : prompt_(prompt), pass_(pass), is_weighted_(is_weighted), statistics_(statistics) {}

void ReplayObserver::after_attention(const AttentionStep& step) {
  const int64_t sinks = std::min(kReplaySinkTokens, pass_.begin), count = pass_.end - pass_.begin;
  const auto prompt_keys = prompt_.tail_keys(step.layer);  // [kv_heads, tokens, head_dim]
  const auto keys = at::cat({prompt_keys.narrow(1, 0, sinks),
                             prompt_keys.narrow(1, pass_.begin, count), step.cache.tail_keys},
                            1);  // [kv_heads, sinks + chunk + fed so far, head_dim]
  at::Tensor row_weights;        // [new]
  if (is_weighted_) row_weights = step.input.to(at::kFloat).norm(2, 1).reciprocal();
  const auto maxima = column_maxima(step.queries, keys, step.scale, row_weights);
  const auto of_chunk = [&](const at::Tensor& columns) { return columns.narrow(1, sinks, count); };
  auto& statistics = statistics_[static_cast<size_t>(step.layer)];
  const auto attention = of_chunk(maxima.attention).unflatten(0, {prompt_.kv_heads(), -1});
  raise(statistics.replay_attention.narrow(1, pass_.begin, count), attention.amax(1));
  if (!is_weighted_) return;
  raise(statistics.replay_weighted.narrow(1, pass_.begin, count), of_chunk(maxima.weighted));
}

void replay(const Model& model, std::span<const int64_t> ids, const ReplayText& text,
            const Needs& needs, Prefilled& prompt, int64_t chunk_tokens) {
  const bool has_attention = needs.replay || needs.replay_weighted;
  if (!has_attention && needs.repeat_queries == 0) return;
  const auto& config = model.config();
  const auto tokens = static_cast<int64_t>(ids.size());
  const auto options = model.cache_options().dtype(at::kFloat);
  for (auto& layer : prompt.statistics) {
    if (!has_attention) break;
    layer.replay_attention = at::zeros({config.kv_heads, tokens}, options);
    if (needs.replay_weighted) layer.replay_weighted = at::zeros({config.heads, tokens}, options);
  }
  if (tokens <= text.prefix_tokens) return;
  const int64_t fitting = fitting_chunk(config, tokens, text, chunk_tokens);
  const auto passes = plan_replay(ids, text, fitting);
  size_t longest = 0;
  for (const auto& pass : passes) longest = std::max(longest, pass.fed.size());
  auto cache = prompt.cache.sealed(static_cast<int64_t>(longest));
  ReferenceObserver references(&LayerStatistics::repeat_queries, needs.repeat_queries,
                               prompt.statistics);
  for (const auto& pass : passes) {
    ReplayObserver attention(prompt.cache, pass, needs.replay_weighted, prompt.statistics);
    ObserverList observers;
    if (has_attention) observers.add(attention);
    if (needs.repeat_queries > 0) observers.add(references);
    model.forward(pass.fed, cache, LogitsWanted::none, &observers);
    if (needs.repeat_queries > 0) {
      prompt.reference_texts.push_back({&LayerStatistics::repeat_queries, pass.fed});
    }
    cache.truncate_tail(0);
  }
}

}  // namespace kvcal
