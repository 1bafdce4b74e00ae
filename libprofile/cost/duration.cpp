// SPDX-License-Identifier: Apache-2.0
#include "kvcal/profile/duration.hpp"

#include <algorithm>

namespace kvcal {
namespace {

/// Numbers in the linear layers, embeddings left out.
double layer_numbers(const ModelConfig& model) {
  const int64_t embeddings = (model.has_tied_embedding ? 1 : 2) * model.vocab * model.hidden;
  return static_cast<double>(parameter_count(model) - embeddings);
}

double head_numbers(const ModelConfig& model) {
  return static_cast<double>(model.vocab * model.hidden);
}

/// Products of queries with keys, `pairs` of each head.
double key_flop(const ModelConfig& model, double pairs) {
  return 2.0 * static_cast<double>(model.layers * model.heads * model.head_dim) * pairs;
}

/// With those of probabilities with values.
double attention_flop(const ModelConfig& model, double pairs) {
  return 2 * key_flop(model, pairs);
}

/// `tokens` through all linear layers, weights read once for each chunk.
double linear_seconds(const ModelConfig& model, const PromptShape& prompt, double tokens,
                      const Device& device) {
  const double chunks = std::max(1.0, tokens / static_cast<double>(prompt.chunk_tokens));
  const double bytes = chunks * layer_numbers(model) * static_cast<double>(prompt.element_bytes);
  return std::max(2 * tokens * layer_numbers(model) / device.matrix_flops,
                  bytes / device.bytes_per_second);
}

/// Token t sees t + 1.
double causal_pairs(double tokens) {
  return tokens * (tokens + 1) / 2;
}

/// Column sums take the products with keys once more; a replay feeds the prompt again, every token
/// of which sees all of it, and takes these products once more too.
double statistics_seconds(const ModelConfig& model, const PromptShape& prompt, const Needs& needs,
                          const Device& device) {
  const auto tokens = static_cast<double>(prompt.tokens);
  double seconds = 0;
  if (needs.column_sums) seconds += key_flop(model, causal_pairs(tokens)) / device.column_flops;
  if (needs.replay || needs.replay_weighted) {
    const double pairs = tokens * tokens + causal_pairs(static_cast<double>(prompt.chunk_tokens));
    seconds += linear_seconds(model, prompt, tokens, device) +
               attention_flop(model, pairs) / device.attention_flops +
               key_flop(model, pairs) / device.column_flops;
  }
  return seconds;
}

int64_t kept_tokens(const ModelConfig& model, const PromptShape& prompt, const Variant& variant) {
  if (variant.method->is_full()) return prompt.tokens;
  const int64_t budget = variant.budget->tokens(prompt.tokens, model, prompt.element_bytes,
                                                variant.method->bias_bytes());
  return std::min(budget, prompt.tokens);
}

}  // namespace

double prefill_seconds(const ModelConfig& model, const PromptShape& prompt, const Device& device) {
  const auto tokens = static_cast<double>(prompt.tokens);
  const double last_logits = head_numbers(model) * static_cast<double>(prompt.element_bytes);
  return linear_seconds(model, prompt, tokens, device) +
         attention_flop(model, causal_pairs(tokens)) / device.attention_flops +
         last_logits / device.bytes_per_second;
}

double decode_seconds(const ModelConfig& model, int64_t element_bytes, int64_t rows,
                      int64_t entries, const Device& device) {
  const double numbers = layer_numbers(model) + head_numbers(model);
  const double linear =
      std::max(2 * static_cast<double>(rows) * numbers / device.row_flops,
               numbers * static_cast<double>(element_bytes) / device.bytes_per_second);
  const auto seen = static_cast<double>(entries);
  const auto bytes =
      seen * static_cast<double>(model.layers * model.kv_heads * model.entry_bytes(element_bytes));
  const double attention = std::max(attention_flop(model, seen) / device.attention_flops,
                                    bytes / device.bytes_per_second);
  return linear + attention + static_cast<double>(model.layers) * device.layer_seconds;
}

Durations predict_durations(const ModelConfig& model, const PromptShape& prompt,
                            std::span<const Variant> variants, const Device& device,
                            bool measures_fidelity) {
  Durations predicted;
  predicted.prefill = prefill_seconds(model, prompt, device);
  Needs needs;
  int64_t entries = 0;  // in the middle of decoding
  for (const auto& variant : variants) {
    needs = needs | variant.method->needs();
    const int64_t held = kept_tokens(model, prompt, variant) + prompt.tail_tokens / 2;
    entries += held;
    if (!measures_fidelity) continue;
    // Two answers, alone: as a short chunk that sees what the variant holds.
    const auto fed = static_cast<double>(2 * prompt.tail_tokens);
    predicted.fidelity +=
        linear_seconds(model, prompt, fed, device) +
        2 * fed * head_numbers(model) / device.matrix_flops +
        attention_flop(model, fed * static_cast<double>(held)) / device.attention_flops;
  }
  predicted.statistics = statistics_seconds(model, prompt, needs, device);
  predicted.decoding = static_cast<double>(prompt.tail_tokens) *
                       decode_seconds(model, prompt.element_bytes,
                                      static_cast<int64_t>(variants.size()), entries, device);
  return predicted;
}

}  // namespace kvcal
