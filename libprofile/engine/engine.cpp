// SPDX-License-Identifier: Apache-2.0
#include "kvcal/profile/engine.hpp"

#include <ATen/ATen.h>

#include <algorithm>
#include <optional>

#include "engine/replay.hpp"
#include "kvcal/compress/error.hpp"
#include "kvcal/profile/metric.hpp"
#include "kvcal/profile/statistics.hpp"

namespace kvcal {
namespace {

Needs needs_of(std::span<const Variant> variants) {
  Needs needs;
  for (const auto& variant : variants) needs = needs | variant.method->needs();
  return needs;
}

/// [layers * kv_heads] entries in the prefix.
std::vector<int32_t> entries_per_head(const CompactCache& cache) {
  std::vector<int32_t> entries;
  for (int64_t layer = 0; layer < cache.layers(); ++layer) {
    const auto counts = cache.layer(layer).prefix.offsets.diff().to(at::kInt);  // [kv_heads]
    const int32_t* begin = counts.const_data_ptr<int32_t>();
    entries.insert(entries.end(), begin, begin + counts.numel());
  }
  return entries;
}

double score_prediction(const Sample& sample, const std::string& prediction) {
  const auto& metric = find_metric(sample.metric);
  return metric.score({prediction, sample.references, sample.all_classes}) / metric.scale;
}

}  // namespace

Engine::Engine(const Model& model, const Tokenizer& tokenizer, const ChatFormat& chat,
               ProfileFacts facts, uint64_t seed)
    : model_(model), tokenizer_(tokenizer), chat_(chat), facts_(std::move(facts)), seed_(seed) {}

std::vector<SampleRecord> Engine::run(const std::string& task, const Sample& sample,
                                      std::span<const Variant> variants,
                                      const KeepSink& keep_sink) const {
  std::vector<SampleRecord> records(variants.size());
  for (Visibility visibility : {Visibility::aware, Visibility::agnostic}) {
    std::vector<size_t> chosen;
    for (size_t i = 0; i < variants.size(); ++i) {
      if (variants[i].visibility == visibility) chosen.push_back(i);
    }
    if (chosen.empty()) continue;
    const auto prompt = tokenize_prompt(sample, chat_, tokenizer_, visibility);
    const int64_t needed = prompt.total() + sample.max_new_tokens;
    require(needed <= model_.config().max_tokens, Kind::input,
            "task {}, sample {}: {} prompt tokens + {} new ones = {}, the model takes {}", task,
            sample.id, prompt.total(), sample.max_new_tokens, needed, model_.config().max_tokens);
    const auto needs = needs_of(variants);
    auto prefilled = prefill(model_, prompt.context, needs);
    replay(model_, prompt.context, ReplayText(tokenizer_, chat_, sample.chat), needs, prefilled);
    // The sample's own seed: neither order nor the other samples can change what is drawn.
    Compressor compressor(model_, prefilled, facts_, stable_hash(task + '/' + sample.id, seed_));
    for (size_t i : chosen) {
      records[i] = run_variant(sample, variants[i], prompt, prefilled, compressor, keep_sink);
      records[i].task = task;
    }
  }
  return records;
}

SampleRecord Engine::run_variant(const Sample& sample, const Variant& variant,
                                 const PromptTokens& prompt, const Prefilled& prefilled,
                                 Compressor& compressor, const KeepSink& keep_sink) const {
  const auto& config = model_.config();
  const auto element_bytes = static_cast<int64_t>(model_.cache_options().dtype().itemsize());
  const int64_t budget_tokens =
      variant.method->is_full() ? prefilled.tokens()
                                : variant.budget->tokens(prefilled.tokens(), config, element_bytes);
  const auto question = static_cast<int64_t>(prompt.question.size());
  auto compression =
      compressor.compress(*variant.method, budget_tokens, question + sample.max_new_tokens);
  if (keep_sink) keep_sink(sample, variant, compression);

  at::Tensor first_logits = prefilled.last_logits;
  if (question > 0) {
    first_logits = model_.forward(prompt.question, compression.cache, LogitsWanted::last);
  }
  const auto generation =
      generate(model_, compression.cache, first_logits, sample.max_new_tokens, config.stop_ids);

  SampleRecord record;
  record.sample = sample.id;
  record.document = sample.document;
  record.method = variant.method->name;
  record.visibility = to_string(variant.visibility);
  record.metric = sample.metric;
  record.length = sample.length;
  record.depth = sample.depth;
  record.budget = variant.method->is_full() ? "full" : variant.budget->text();
  record.prompt_tokens = prefilled.tokens();
  record.budget_tokens = budget_tokens;
  record.kept_per_head = entries_per_head(compression.cache);
  for (int32_t entries : record.kept_per_head) record.kept_entries += entries;
  record.kept_bytes = compression.cache.prefix_bytes();
  record.full_bytes =
      prefilled.tokens() * config.layers * config.kv_heads * config.entry_bytes(element_bytes);
  record.uncompressed = compression.is_uncompressed;
  record.prediction = tokenizer_.decode(generation.ids);
  record.references = sample.references;
  record.score = score_prediction(sample, record.prediction);
  record.generated_tokens = static_cast<int64_t>(generation.ids.size());
  record.prefill_s = prefilled.seconds;
  record.decode_s = generation.seconds;
  return record;
}

}  // namespace kvcal
