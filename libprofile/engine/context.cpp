// SPDX-License-Identifier: Apache-2.0
#include "engine/context.hpp"

#include <algorithm>

#include "engine/rewrite.hpp"

namespace kvcal {
namespace {

/// Of the variants that are made from the whole prompt's prefill; nothing where there are none.
std::optional<Needs> needs_of_whole(std::span<const Variant> variants) {
  std::optional<Needs> needs;
  for (const auto& variant : variants) {
    if (variant.method->is_windowed()) continue;
    needs = needs.value_or(Needs()) | variant.method->needs();
  }
  return needs;
}

}  // namespace

Context::Context(const PromptReader& reader, const ProfileFacts& facts, std::vector<int64_t> ids,
                 bool is_chat, uint64_t seed)
    : reader_(reader),
      facts_(facts),
      ids_(std::move(ids)),
      is_chat_(is_chat),
      seed_(seed),
      windows_(reader, facts, ids_, is_chat, seed) {}

bool Context::serves(std::span<const int64_t> ids, uint64_t seed,
                     std::span<const Variant> variants) const {
  if (seed != seed_ || !std::ranges::equal(ids, ids_)) return false;
  const auto needs = needs_of_whole(variants);
  return !needs || (whole_ && whole_->needs == *needs);
}

void Context::prefill_whole(std::span<const Variant> variants, const Context* previous) {
  const auto needs = needs_of_whole(variants);
  if (!needs) return;
  whole_ = prefill(reader_.model, ids_, *needs, previous ? previous->whole() : nullptr);
  compressor_.emplace(reader_.model, *whole_, facts_, seed_);
}

void Context::gather() {
  if (whole_) gather_more(reader_, is_chat_, *whole_);
}

void Context::prefill_windows(std::span<const Variant> variants) {
  windows_.compress_all(variants);
}

void Context::mark_reused() {
  is_reused_ = true;
}

Compression Context::compress(const Variant& variant, int64_t tail_capacity) {
  if (variant.method->is_windowed()) return windows_.compressed(variant, tail_capacity);
  const int64_t budget = budget_tokens(variant, tokens(), reader_.model);
  if (variant.method->is_rewrite()) return rewritten(variant, budget, tail_capacity);
  return compressor_->compress(*variant.method, budget, tail_capacity);
}

Compression Context::rewritten(const Variant& variant, int64_t budget, int64_t tail_capacity) {
  if (budget >= tokens()) return {{}, whole_->cache.sealed(tail_capacity), true};
  const auto key = fmt::format("{}@{}", variant.method->resolved(), budget);
  auto found = rewrites_.find(key);
  if (found == rewrites_.end()) {
    found =
        rewrites_.emplace(key, rewrite(reader_, is_chat_, *variant.method, budget, *whole_)).first;
  }
  return {{}, found->second.fork(tail_capacity), false};
}

double Context::prefill_seconds(const Variant& variant) const {
  if (is_reused_) return 0;
  return variant.method->is_windowed() ? windows_.prefill_seconds() : whole_->seconds;
}

int64_t Context::reused_tokens(const Variant& variant) const {
  if (is_reused_) return tokens();
  return variant.method->is_windowed() ? 0 : whole_->reused_tokens;
}

}  // namespace kvcal
