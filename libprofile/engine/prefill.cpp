// SPDX-License-Identifier: Apache-2.0
#include <algorithm>
#include <chrono>

#include "engine/prefill_statistics.hpp"
#include "engine/replay.hpp"
#include "engine/sentences.hpp"
#include "engine/study.hpp"
#include "kvcal/profile/engine.hpp"

namespace kvcal {
namespace {

/// Snapshots of one prompt: more would find a later start, but column sums take a share of the
/// memory of the entries each.
constexpr int64_t kMostSnapshots = 8;

/// Chunks between two snapshots.
int64_t snapshot_step(int64_t tokens, int64_t chunk) {
  const int64_t chunks = tokens / chunk;
  return std::max<int64_t>(1, (chunks + kMostSnapshots - 1) / kMostSnapshots);
}

/// Where a prompt can go on from `previous`: whole chunks, with the statistics known there, and
/// enough tokens left for the window and the last logits. 0: nowhere.
int64_t find_start(std::span<const int64_t> ids, const Prefilled& previous, const Needs& needs,
                   int64_t chunk) {
  const auto [own, other] =
      std::mismatch(ids.begin(), ids.end(), previous.ids.begin(), previous.ids.end());
  const auto least_left = std::max<int64_t>(needs.window_tokens, 1);
  const int64_t most =
      std::min<int64_t>(own - ids.begin(), static_cast<int64_t>(ids.size()) - least_left);
  if (!PrefillStatistics::accumulates(needs)) return std::max<int64_t>(most, 0) / chunk * chunk;
  if (previous.snapshots == nullptr) return 0;
  int64_t start = 0;
  for (const auto& [tokens, gathered] : previous.snapshots->by_tokens) {
    if (tokens <= most) start = tokens;
  }
  return start;
}

}  // namespace

Prefilled prefill(const Model& model, std::span<const int64_t> ids, const Needs& needs,
                  const Prefilled* previous) {
  const auto begin = std::chrono::steady_clock::now();
  const auto tokens = static_cast<int64_t>(ids.size());
  const int64_t chunk = model.prefill_chunk_tokens();
  Prefilled prompt{{ids.begin(), ids.end()}, model.make_cache(tokens), {}, {}, {}};
  prompt.needs = needs;
  PrefillStatistics gathered(model.config().layers, needs);
  PrefillSnapshots snapshots;
  if (previous != nullptr && previous->needs == needs) {
    prompt.reused_tokens = find_start(ids, *previous, needs, chunk);
  }
  if (prompt.reused_tokens > 0) {
    prompt.cache.take_over(previous->cache, prompt.reused_tokens);
    if (PrefillStatistics::accumulates(needs)) {
      snapshots = previous->snapshots->up_to(prompt.reused_tokens);
      gathered = snapshots.by_tokens.at(prompt.reused_tokens).clone();
    }
  }
  LayerObserver* observer = gathered.is_needed() ? &gathered : nullptr;
  const int64_t step = snapshot_step(tokens, chunk) * chunk;
  for (int64_t first = prompt.reused_tokens; first < tokens; first += chunk) {
    const int64_t count = std::min(chunk, tokens - first);
    const bool is_last = first + count == tokens;
    const auto part = ids.subspan(static_cast<size_t>(first), static_cast<size_t>(count));
    const auto logits = model.forward(part, prompt.cache,
                                      is_last ? LogitsWanted::last : LogitsWanted::none, observer);
    if (is_last) prompt.last_logits = logits;
    const bool is_snapshot = !is_last && (first + count) % step == 0;
    if (is_snapshot && PrefillStatistics::accumulates(needs)) {
      snapshots.by_tokens.emplace(first + count, gathered.clone());
    }
  }
  prompt.window_queries = gathered.window_queries();
  prompt.statistics = gathered.statistics();
  prompt.snapshots = std::make_shared<PrefillSnapshots>(std::move(snapshots));
  prompt.seconds = std::chrono::duration<double>(std::chrono::steady_clock::now() - begin).count();
  return prompt;
}

void gather_more(const PromptReader& reader, bool is_chat, Prefilled& prompt) {
  const auto& [model, tokenizer, chat] = reader;
  replay(model, prompt.ids, ReplayText(tokenizer, chat, is_chat), prompt.needs, prompt);
  if (prompt.needs.sentences) prompt.sentences = number_sentences(tokenizer, prompt.ids);
  study(model, tokenizer, chat, is_chat, prompt.needs, prompt);
}

}  // namespace kvcal
