// SPDX-License-Identifier: Apache-2.0
#include "kvcal/profile/memory.hpp"

#include <algorithm>
#include <set>
#include <string>

#include "engine/teacher_forcing.hpp"

namespace kvcal {
namespace {

constexpr int64_t kF32Bytes = 4;

/// [layers, kv_heads] f32 of one prompt: scores, measures and replay statistics alike.
int64_t score_bytes(const ModelConfig& model, int64_t tokens) {
  return model.layers * model.kv_heads * tokens * kF32Bytes;
}

/// Queries that Attention Matching draws, and what it makes of them for one KV head at a time: rows
/// of exponentials over all tokens, in f64 for a pursuit.
int64_t reference_bytes(const ModelConfig& model, const PromptShape& prompt, const Needs& needs) {
  int64_t drawn = 0;  // of each head; a prompt repeats about as many tokens as it has
  for (const int64_t wanted : {needs.context_queries, needs.repeat_queries}) {
    drawn += std::min(wanted, prompt.tokens);
  }
  drawn += needs.study_queries;
  const int64_t gathered = model.layers * model.heads * drawn * model.head_dim;
  return gathered * prompt.element_bytes + model.group() * drawn * prompt.tokens * 8;
}

/// Of a variant that compresses.
int64_t budget_tokens(const ModelConfig& model, const PromptShape& prompt, const Variant& variant) {
  return variant.budget->tokens(prompt.tokens, model, prompt.element_bytes,
                                variant.method->bias_bytes());
}

int64_t statistics_bytes(const ModelConfig& model, const PromptShape& prompt,
                         std::span<const Variant> variants) {
  Needs needs;
  std::set<std::string> parts;
  for (const auto& variant : variants) {
    needs = needs | variant.method->needs();
    if (variant.method->scorer == nullptr) continue;
    const Method& method = variant.method->at(budget_tokens(model, prompt, variant));
    parts.insert("scorer " + method.scorer_key);
    parts.insert("selector " + method.selector_key);
  }
  const int64_t all_heads = model.layers * model.heads;
  int64_t bytes = all_heads * needs.window_tokens * model.head_dim * prompt.element_bytes;
  if (needs.column_sums) bytes += all_heads * prompt.tokens * kF32Bytes;
  if (needs.query_moments) {
    bytes += all_heads * model.head_dim * (model.head_dim + 1) * (kF32Bytes + 8);
  }
  if (needs.replay || needs.replay_weighted) bytes += score_bytes(model, prompt.tokens);
  bytes += reference_bytes(model, prompt, needs);
  if (needs.replay_weighted) bytes += all_heads * prompt.tokens * kF32Bytes;
  return bytes + static_cast<int64_t>(parts.size()) * score_bytes(model, prompt.tokens);
}

/// Residual stream, norm, heads and gated product of what is fed at once, and the logits of an
/// answer in f32 with their logarithms.
int64_t activation_bytes(const ModelConfig& model, const PromptShape& prompt, int64_t chunk) {
  const int64_t heads = (2 * model.heads + 2 * model.kv_heads) * model.head_dim;
  const int64_t numbers = chunk * (3 * model.hidden + heads + 4 * model.intermediate);
  return numbers * prompt.element_bytes + 4 * prompt.tail_tokens * model.vocab * kF32Bytes;
}

/// One token's entries in all layers and KV heads.
int64_t token_bytes(const ModelConfig& model, const PromptShape& prompt) {
  return model.layers * model.kv_heads * model.entry_bytes(prompt.element_bytes);
}

/// For the next question about the same document.
bool is_held(const Variant& variant) {
  return variant.method->is_costly() || variant.method->is_windowed();
}

/// What reading answers takes besides: their entries, and products in f32 before they are rounded.
int64_t forced_bytes(const ModelConfig& model, const PromptShape& prompt, int64_t tokens) {
  return tokens * (token_bytes(model, prompt) + 2 * model.intermediate * kF32Bytes);
}

/// Tokens that are prefilled at once: 0 stands for the whole prompt.
std::set<int64_t> windows_of(std::span<const Variant> variants) {
  std::set<int64_t> windows;
  for (const auto& variant : variants) windows.insert(variant.method->window_tokens);
  return windows;
}

/// What the prefill of the whole prompt takes, or of a window of it. Windows come one after the
/// other, the whole prompt is held beside them, and its predecessor for a moment.
void add_prompt(const ModelConfig& model, const PromptShape& prompt,
                std::span<const Variant> variants, int64_t window, MemoryPlan& plan) {
  PromptShape part = prompt;
  if (window > 0) part.tokens = std::min(window, prompt.tokens);
  std::vector<Variant> of_window;
  for (const auto& variant : variants) {
    if (variant.method->window_tokens == window) of_window.push_back(variant);
  }
  plan.prompt += (window > 0 ? 1 : 2) * part.tokens * token_bytes(model, part);
  plan.statistics += statistics_bytes(model, part, of_window);
  // A chunk of the prompt, the answers that variants read together, or all that is read again.
  const int64_t answers = 2 * part.tail_tokens * static_cast<int64_t>(of_window.size());
  const int64_t forced = std::min(kForcedTokens, answers);
  int64_t chunk = std::max(forced, std::min(part.chunk_tokens, part.tokens));
  const auto is_on_policy = [](const Variant& v) { return v.method->is_on_policy; };
  if (std::any_of(of_window.begin(), of_window.end(), is_on_policy)) {
    chunk = std::max(chunk, part.tokens);
    plan.prompt += part.tokens * token_bytes(model, part);
  }
  const int64_t bytes = activation_bytes(model, part, chunk) + forced_bytes(model, part, forced);
  plan.activations = std::max(plan.activations, bytes);
}

}  // namespace

int64_t parameter_count(const ModelConfig& model) {
  const int64_t attention = (2 * model.heads + 2 * model.kv_heads) * model.head_dim * model.hidden;
  const int64_t embeddings = (model.has_tied_embedding ? 1 : 2) * model.vocab * model.hidden;
  return embeddings + model.layers * (attention + 3 * model.hidden * model.intermediate);
}

int64_t kept_bytes(const ModelConfig& model, const PromptShape& prompt, const Variant& variant) {
  const bool is_full = variant.method->is_full();
  const int64_t kept = is_full ? prompt.tokens : budget_tokens(model, prompt, variant);
  const bool is_shared =
      kept >= prompt.tokens && variant.mask == nullptr && !variant.method->is_windowed();
  if (is_shared) return 0;
  return kept * (token_bytes(model, prompt) +
                 model.layers * model.kv_heads * variant.method->bias_bytes());
}

int64_t variant_bytes(const ModelConfig& model, const PromptShape& prompt, const Variant& variant) {
  const int64_t tail = prompt.tail_tokens * token_bytes(model, prompt);
  if (is_held(variant)) return tail;
  const int64_t kept = kept_bytes(model, prompt, variant);
  const Method& method = *variant.method;
  if (method.compactor == nullptr || method.chunk_tokens > 0) return tail + kept;
  // Evicting methods name the prompt's entries that stay: an i32, and an i64 in the keep set.
  return tail + kept / model.entry_bytes(prompt.element_bytes) * (4 + 8);
}

MemoryPlan predict_memory(const ModelConfig& model, const PromptShape& prompt,
                          std::span<const Variant> variants) {
  MemoryPlan plan;
  plan.weights = parameter_count(model) * prompt.element_bytes;
  for (const int64_t window : windows_of(variants))
    add_prompt(model, prompt, variants, window, plan);
  for (const auto& variant : variants) {
    const int64_t bytes = variant_bytes(model, prompt, variant);
    plan.variants += bytes;
    plan.largest_variant = std::max(plan.largest_variant, bytes);
    if (is_held(variant)) plan.compactions += kept_bytes(model, prompt, variant);
  }
  return plan;
}

}  // namespace kvcal
