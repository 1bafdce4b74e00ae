// SPDX-License-Identifier: Apache-2.0
#include "kvcal/profile/prompt_lookup.hpp"

#include <ATen/ATen.h>

#include <algorithm>
#include <chrono>

#include "engine/token_choice.hpp"

namespace kvcal {
namespace {

/// Longer pieces of text are as good as this one.
constexpr size_t kMostSuffix = 8;
/// A guess from one token alone is mostly wrong, and each row of it costs.
constexpr int64_t kFewTokens = 4;
/// Tokens of a pass: each adds about a tenth of a step, and attention of a KV head over them is cut
/// as for one.
constexpr int64_t kMostFed = 16;

/// How many of the last tokens of a and b are the same, up to kMostSuffix.
size_t common_suffix(std::span<const int64_t> a, std::span<const int64_t> b) {
  const size_t most = std::min({a.size(), b.size(), kMostSuffix});
  size_t same = 0;
  while (same < most && a[a.size() - 1 - same] == b[b.size() - 1 - same]) ++same;
  return same;
}

}  // namespace

PromptLookup::PromptLookup(std::span<const int64_t> prompt, std::span<const int64_t> opening)
    : read_(prompt.begin(), prompt.end()), prompt_tokens_(prompt.size()) {
  read_.insert(read_.end(), opening.begin(), opening.end());
}

std::vector<int64_t> PromptLookup::next(std::span<const int64_t> answer, int64_t most) const {
  auto text = read_;
  text.insert(text.end(), answer.begin(), answer.end());
  size_t longest = 0, begin = answer.empty() ? prompt_tokens_ : text.size();
  for (size_t end = 1; end < text.size() && !answer.empty(); ++end) {
    const size_t same = common_suffix(std::span(text).first(end), answer);
    if (same == 0 || same < longest) continue;
    longest = same, begin = end;
  }
  if (longest == 1) most = std::min(most, kFewTokens);
  const auto count = std::min(text.size() - begin, static_cast<size_t>(most));
  const auto first = text.begin() + static_cast<int64_t>(begin);
  return {first, first + static_cast<int64_t>(count)};
}

namespace {

using OnPass = std::function<void(const LookupPass&)>;

/// Decodes until the sequence ends.
/// @param last_token  behind which its answer begins
void decode_by_lookup(const Model& model, Continuation& sequence, int64_t last_token,
                      const PromptLookup& lookup, const StopRule& stop, const OnPass& on_pass) {
  CompactCache& cache = *sequence.cache;
  const auto& answer = sequence.generation.ids;
  std::vector<at::Tensor> queries(static_cast<size_t>(model.config().layers));
  const auto keep_queries = [&](int64_t layer, std::span<const at::Tensor> of_feeds) {
    queries[static_cast<size_t>(layer)] = of_feeds.front();
  };
  bool goes_on = true;
  while (goes_on) {
    const int64_t before = cache.tail_tokens();
    const auto left = sequence.max_new_tokens - static_cast<int64_t>(answer.size());
    std::vector<int64_t> fed{answer.empty() ? last_token : answer.back()};
    const auto guess = lookup.next(answer, std::min(left, kMostFed) - 1);
    fed.insert(fed.end(), guess.begin(), guess.end());
    const Feed feed{fed, &cache};
    const auto logits = model.logits(model.forward_together({&feed, 1}, keep_queries));
    ++sequence.generation.steps;
    std::vector<int64_t> chosen;
    do {
      goes_on = take_token(sequence, logits[static_cast<int64_t>(chosen.size())], stop);
      chosen.push_back(sequence.generation.stop_id.value_or(answer.back()));
    } while (goes_on && chosen.size() < fed.size() && fed[chosen.size()] == chosen.back());
    const auto kept = static_cast<int64_t>(chosen.size());
    cache.truncate_tail(before + kept);
    for (auto& of_layer : queries) of_layer = of_layer.narrow(1, 0, kept);
    if (on_pass) on_pass({queries, cache, chosen});
  }
}

/// Adds the time that `decode` takes.
template <class Decode>
void timed(Generation& generation, const Decode& decode) {
  const auto start = std::chrono::steady_clock::now();
  decode();
  generation.seconds +=
      std::chrono::duration<double>(std::chrono::steady_clock::now() - start).count();
}

}  // namespace

Generation generate_by_lookup(const Model& model, CompactCache& cache, int64_t last_token,
                              const PromptLookup& lookup, int64_t max_new_tokens,
                              const StopRule& stop, const OnPass& on_pass) {
  Continuation sequence{&cache, {}, max_new_tokens};
  if (max_new_tokens < 1) return {};
  timed(sequence.generation,
        [&] { decode_by_lookup(model, sequence, last_token, lookup, stop, on_pass); });
  return std::move(sequence.generation);
}

void generate_by_lookup(const Model& model, Continuation& sequence, const PromptLookup& lookup,
                        const StopRule& stop) {
  if (sequence.max_new_tokens < 1) return;
  timed(sequence.generation, [&] {
    if (!take_token(sequence, sequence.first_logits, stop)) return;
    decode_by_lookup(model, sequence, sequence.generation.ids.back(), lookup, stop, {});
  });
}

}  // namespace kvcal
