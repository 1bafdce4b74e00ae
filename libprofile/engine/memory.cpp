// SPDX-License-Identifier: Apache-2.0
#include "kvcal/profile/memory.hpp"

#include <algorithm>
#include <set>
#include <string>

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
    if (variant.method->is_full()) continue;
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

/// Residual stream, norm, heads and gated product of a chunk, and the logits of an answer in f32
/// with their logarithms.
int64_t activation_bytes(const ModelConfig& model, const PromptShape& prompt) {
  const int64_t chunk = std::min(prompt.chunk_tokens, prompt.tokens);
  const int64_t heads = (2 * model.heads + 2 * model.kv_heads) * model.head_dim;
  const int64_t numbers = chunk * (3 * model.hidden + heads + 4 * model.intermediate);
  return numbers * prompt.element_bytes + 4 * prompt.tail_tokens * model.vocab * kF32Bytes;
}

/// One token's entries in all layers and KV heads.
int64_t token_bytes(const ModelConfig& model, const PromptShape& prompt) {
  return model.layers * model.kv_heads * model.entry_bytes(prompt.element_bytes);
}

}  // namespace

int64_t parameter_count(const ModelConfig& model) {
  const int64_t attention = (2 * model.heads + 2 * model.kv_heads) * model.head_dim * model.hidden;
  const int64_t embeddings = (model.has_tied_embedding ? 1 : 2) * model.vocab * model.hidden;
  return embeddings + model.layers * (attention + 3 * model.hidden * model.intermediate);
}

int64_t variant_bytes(const ModelConfig& model, const PromptShape& prompt, const Variant& variant) {
  const bool is_full = variant.method->is_full();
  const int64_t kept = is_full ? prompt.tokens : budget_tokens(model, prompt, variant);
  const bool is_shared = kept >= prompt.tokens && variant.mask == nullptr;
  const int64_t own = is_shared ? 0 : kept;
  return (own + prompt.tail_tokens) * token_bytes(model, prompt) +
         own * model.layers * model.kv_heads * variant.method->bias_bytes();
}

MemoryPlan predict_memory(const ModelConfig& model, const PromptShape& prompt,
                          std::span<const Variant> variants) {
  MemoryPlan plan;
  plan.weights = parameter_count(model) * prompt.element_bytes;
  plan.prompt = 2 * prompt.tokens * token_bytes(model, prompt);
  plan.statistics = statistics_bytes(model, prompt, variants);
  plan.activations = activation_bytes(model, prompt);
  for (const auto& variant : variants) {
    const int64_t bytes = variant_bytes(model, prompt, variant);
    plan.variants += bytes;
    plan.largest_variant = std::max(plan.largest_variant, bytes);
  }
  return plan;
}

}  // namespace kvcal
