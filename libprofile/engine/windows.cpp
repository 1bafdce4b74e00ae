// SPDX-License-Identifier: Apache-2.0
#include "engine/windows.hpp"

#include <ATen/ATen.h>

#include <algorithm>

#include "engine/replay.hpp"
#include "kvcal/compress/chunks.hpp"
#include "kvcal/compress/error.hpp"
#include "model/rope.hpp"

namespace kvcal {

std::vector<DocumentWindow> plan_windows(int64_t tokens, int64_t lead, int64_t window_tokens) {
  if (tokens <= window_tokens) return {{0, tokens, 0}};
  require(window_tokens > lead, Kind::config,
          "window_tokens = {}, need more than the {} that the chat format puts first",
          window_tokens, lead);
  const int64_t text = tokens - lead, room = window_tokens - lead;
  const int64_t windows = (text + room - 1) / room;
  std::vector<DocumentWindow> plan;
  for (int64_t i = 0; i < windows; ++i) {
    const int64_t first = lead + text * i / windows, end = lead + text * (i + 1) / windows;
    if (i == 0) {
      plan.push_back({0, end, 0});
    } else {
      plan.push_back({first, end - first, lead});
    }
  }
  return plan;
}

at::Tensor turned(const at::Tensor& keys, int64_t positions, const at::Tensor& frequencies) {
  auto heads = keys.to(at::kFloat, /*non_blocking=*/false, /*copy=*/true).unsqueeze(0);
  const auto by = at::full({1}, static_cast<double>(positions), heads.options());
  apply_rope_(heads, make_rope_table(frequencies, by, heads.options()));
  return heads.squeeze(0).to(keys.scalar_type());
}

/// One variant on its way through the windows.
struct WindowedCompressor::Parts {
  const Variant* variant;
  std::string key;
  int64_t budget = 0, given = 0;                 // tokens; to the windows so far
  std::vector<std::vector<KeepSet>> kept;        // [layers][windows]
  std::vector<std::vector<CompactLayer>> parts;  // [layers][windows]
  std::vector<int64_t> starts;                   // [windows] in the document

  int64_t bytes() const {
    int64_t sum = 0;
    for (const auto& of_layer : parts) {
      for (const auto& layer : of_layer) sum += layer.bytes();
    }
    return sum;
  }
};

bool WindowedCompressor::is_in_document(const Parts& parts) {
  return parts.variant->method->window_positions == WindowPositions::document;
}

WindowedCompressor::WindowedCompressor(const PromptReader& reader, const ProfileFacts& facts,
                                       std::span<const int64_t> ids, bool is_chat, uint64_t seed)
    : reader_(reader), facts_(facts), ids_(ids), is_chat_(is_chat), seed_(seed) {}

std::string WindowedCompressor::key_of(const Variant& variant) const {
  return fmt::format("{}@{}", variant.method->resolved(),
                     budget_tokens(variant, tokens(), reader_.model));
}

void WindowedCompressor::compress_all(std::span<const Variant> variants) {
  std::map<int64_t, std::vector<Parts>> by_window;  // those with the same window share its prefill
  for (const auto& variant : variants) {
    if (variant.method->is_windowed())
      add_missing(variant, by_window[variant.method->window_tokens]);
  }
  const int64_t lead = ReplayText(reader_.tokenizer, reader_.chat, is_chat_).prefix_tokens;
  for (auto& [window_tokens, group] : by_window) {
    if (group.empty()) continue;
    int64_t longest = 0;
    for (const auto& window : plan_windows(tokens(), lead, window_tokens)) {
      longest = std::max(longest, window.dropped + window.count);
      compress_window(window, group);
    }
    for (const auto& parts : group) made_.emplace(parts.key, joined(parts, longest));
  }
}

void WindowedCompressor::add_missing(const Variant& variant, std::vector<Parts>& group) const {
  const auto key = key_of(variant);
  const auto has_key = [&](const Parts& parts) { return parts.key == key; };
  if (made_.contains(key) || std::ranges::any_of(group, has_key)) return;
  auto& parts = group.emplace_back();
  parts.variant = &variant;
  parts.key = key;
  parts.budget = std::min(budget_tokens(variant, tokens(), reader_.model), tokens());
  const auto layers = static_cast<size_t>(reader_.model.config().layers);
  parts.kept.resize(layers), parts.parts.resize(layers);
}

Compression WindowedCompressor::joined(const Parts& parts, int64_t longest_window) const {
  std::vector<KeepSet> kept;
  std::vector<CompactLayer> layers;
  for (size_t l = 0; l < parts.parts.size(); ++l) {
    kept.push_back(concatenate(parts.kept[l], parts.starts));
    layers.push_back(concatenate(parts.parts[l]));
  }
  const int64_t next_position = is_in_document(parts) ? tokens() : longest_window;
  return {std::move(kept), CompactCache(std::move(layers), next_position, /*tail_capacity=*/0),
          parts.budget == tokens()};
}

void WindowedCompressor::compress_window(const DocumentWindow& window, std::vector<Parts>& group) {
  std::vector<int64_t> fed(ids_.begin(), ids_.begin() + window.dropped);
  fed.insert(fed.end(), ids_.begin() + window.first, ids_.begin() + window.first + window.count);
  Needs needs;
  for (const auto& parts : group) needs = needs | parts.variant->method->needs();
  auto prompt = prefill(reader_.model, fed, needs);
  prefill_seconds_ += prompt.seconds;
  gather_more(reader_, is_chat_, prompt);
  Compressor compressor(reader_.model, prompt, facts_, seed_, window.dropped);
  const auto& config = reader_.model.config();
  int64_t held_bytes = prompt.tokens() * config.layers * config.kv_heads *
                       config.entry_bytes(reader_.model.element_bytes());
  for (auto& parts : group) {
    // So that the parts add up to the budget, whatever the rounding.
    const int64_t end = window.first + window.count;
    const int64_t budget = parts.budget * end / tokens() - parts.given;
    parts.given += budget;
    add_part(window, compressor.compress(*parts.variant->method, budget, /*tail_capacity=*/0),
             parts);
    held_bytes += parts.bytes();
  }
  peak_bytes_ = std::max(peak_bytes_, held_bytes);
}

void WindowedCompressor::add_part(const DocumentWindow& window, const Compression& part,
                                  Parts& parts) const {
  const auto& config = reader_.model.config();
  const int64_t shift = is_in_document(parts) ? window.first - window.dropped : 0;
  for (int64_t l = 0; l < config.layers; ++l) {
    const auto index = static_cast<size_t>(l);
    auto layer = part.cache.layer(l).prefix.with_own_entries();  // the window's cache goes
    if (shift > 0) layer.keys = turned(layer.keys, shift, reader_.model.rope_frequencies());
    parts.parts[index].push_back(std::move(layer));
    parts.kept[index].push_back(part.kept.empty() ? keep_all(config.kv_heads, window.count)
                                                  : part.kept[index]);
  }
  parts.starts.push_back(window.first);
}

Compression WindowedCompressor::compressed(const Variant& variant, int64_t tail_capacity) const {
  const auto& made = made_.at(key_of(variant));
  return {made.is_uncompressed ? std::vector<KeepSet>() : made.kept, made.cache.fork(tail_capacity),
          made.is_uncompressed};
}

}  // namespace kvcal
