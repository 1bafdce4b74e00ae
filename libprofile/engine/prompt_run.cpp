// SPDX-License-Identifier: Apache-2.0
#include "engine/prompt_run.hpp"

#include <ATen/ATen.h>

#include <algorithm>

#include "engine/teacher_forcing.hpp"
#include "kvcal/compress/error.hpp"
#include "kvcal/profile/memory.hpp"
#include "kvcal/profile/metric.hpp"
#include "kvcal/profile/prompt_lookup.hpp"

namespace kvcal {
namespace {

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

}  // namespace

PromptRun::PromptRun(const PromptReader& reader, const EngineOptions& options, const Sample& sample,
                     const PromptTokens& prompt, Context& context)
    : model_(reader.model),
      tokenizer_(reader.tokenizer),
      options_(options),
      sample_(sample),
      prompt_(prompt),
      context_(context) {
  if (options.measures_fidelity) reference_ids_ = encode_reference(sample, tokenizer_);
}

/// Question, the last prompt token once more under a mask, and the answer with its stop token.
int64_t PromptRun::tail_capacity() const {
  return static_cast<int64_t>(prompt_.question.size()) + 1 + sample_.max_new_tokens;
}

int64_t PromptRun::bytes_of(const Variant& variant) const {
  return variant_bytes(model_.config(),
                       {.tokens = context_.tokens(),
                        .tail_tokens = tail_capacity(),
                        .element_bytes = model_.element_bytes()},
                       variant);
}

void PromptRun::run(std::span<const Variant* const> variants,
                    std::span<SampleRecord* const> records, const KeepSink& keep_sink) {
  std::vector<size_t> order(variants.size());
  for (size_t i = 0; i < order.size(); ++i) order[i] = i;
  // The full cache first: the others are compared with its answer.
  std::stable_partition(order.begin(), order.end(),
                        [&](size_t i) { return variants[i]->is_reference(); });
  std::vector<Sequence> batch;
  int64_t held_bytes = 0;
  for (const size_t i : order) {
    const int64_t bytes = bytes_of(*variants[i]);
    if (!batch.empty() && held_bytes + bytes > options_.variant_bytes) {
      run_batch(batch);
      batch.clear();
      held_bytes = 0;
    }
    batch.push_back(start(*variants[i], *records[i], keep_sink));
    held_bytes += bytes;
  }
  run_batch(batch);
}

/// Compresses, and feeds what comes between the compacted prompt and the answer.
PromptRun::Sequence PromptRun::start(const Variant& variant, SampleRecord& record,
                                     const KeepSink& keep_sink) {
  Sequence sequence{&variant, &record, context_.compress(variant, tail_capacity()),
                    context_.whole() ? context_.whole()->last_logits : at::Tensor()};
  auto& cache = sequence.compression.cache;
  if (keep_sink) keep_sink(sample_, variant, sequence.compression);
  describe(variant, sequence.compression, record);

  std::span<const int64_t> question = prompt_.question;
  const bool is_masked = variant.mask != nullptr;
  require(!is_masked || variant.method->is_full(), Kind::internal,
          "heads are masked over the full cache only, not over what {} keeps",
          variant.method->name);
  if (is_masked && question.empty()) {
    // Silencing begins with the last prompt token (CompressKV): it is fed again, in place of
    // itself.
    cache = context_.whole()->cache.sealed(tail_capacity(), context_.tokens() - 1);
    question = std::span(prompt_.context).last(1);
  }
  if (question.empty()) return sequence;
  const auto before = is_masked ? question.first(question.size() - 1) : question;
  if (!before.empty()) {
    sequence.first_logits =
        model_.forward(before, cache, is_masked ? LogitsWanted::none : LogitsWanted::last);
  }
  if (is_masked) {
    const DecodeRow last{question.back(), &cache, &variant.mask->mask};
    sequence.first_logits = model_.decode({&last, 1});
  }
  return sequence;
}

void PromptRun::describe(const Variant& variant, const Compression& compression,
                         SampleRecord& record) const {
  const auto& config = model_.config();
  record.sample = sample_.id;
  record.document = sample_.document;
  record.method = variant.method->name;
  record.visibility = to_string(variant.visibility);
  record.mask = variant.mask == nullptr ? "" : variant.mask->name;
  record.metric = sample_.metric;
  record.length = sample_.length;
  record.depth = sample_.depth;
  record.budget = variant.method->is_full() ? "full" : variant.budget->text();
  record.prompt_tokens = context_.tokens();
  record.budget_tokens = budget_tokens(variant, context_.tokens(), model_);
  record.kept_per_head = entries_per_head(compression.cache);
  for (int32_t entries : record.kept_per_head) record.kept_entries += entries;
  record.kept_bytes = compression.cache.prefix_bytes();
  record.full_bytes = context_.tokens() * config.layers * config.kv_heads *
                      config.entry_bytes(model_.element_bytes());
  record.uncompressed = compression.is_uncompressed;
  record.is_exact = variant.method->is_exact();
  record.references = sample_.references;
  record.prefill_s = context_.prefill_seconds(variant);
  record.reused_tokens = context_.reused_tokens(variant);
}

void PromptRun::run_batch(std::vector<Sequence>& batch) {
  std::vector<Continuation> continuations;
  std::vector<int64_t> tails;  // tokens in front of the answer
  for (auto& sequence : batch) {
    tails.push_back(sequence.compression.cache.tail_tokens());
    continuations.push_back({&sequence.compression.cache, sequence.first_logits,
                             answers(*sequence.variant) ? sample_.max_new_tokens : 0,
                             sequence.variant->mask ? &sequence.variant->mask->mask : nullptr});
  }
  generate(continuations);
  for (size_t i = 0; i < batch.size(); ++i) {
    const auto& generation = continuations[i].generation;
    SampleRecord& record = *batch[i].record;
    record.prediction = tokenizer_.decode_text(generation.ids);
    record.score = answers(*batch[i].variant) ? score_prediction(sample_, record.prediction)
                                              : std::numeric_limits<double>::quiet_NaN();
    record.parsed = parsed_prediction(sample_, record.prediction);
    record.generated_tokens = static_cast<int64_t>(generation.ids.size());
    record.decode_s = generation.seconds;
    batch[i].compression.cache.truncate_tail(tails[i]);
  }
  if (!options_.measures_fidelity) return;
  keep_full_answer(batch, continuations);
  measure(batch);
}

void PromptRun::generate(std::span<Continuation> sequences) const {
  const auto stop = stop_rule(sample_, model_.config());
  const bool is_on_cpu = model_.cache_options().device().is_cpu();
  // Where variants answer too, times of decoding are compared: all take one step a token.
  if (options_.generates || !is_on_cpu) return generate_together(model_, sequences, stop);
  auto read = prompt_.context;
  read.insert(read.end(), prompt_.question.begin(), prompt_.question.end());
  const PromptLookup lookup(read, reference_ids_);
  for (auto& sequence : sequences) generate_by_lookup(model_, sequence, lookup, stop);
}

void PromptRun::keep_full_answer(const std::vector<Sequence>& batch,
                                 const std::vector<Continuation>& continuations) {
  for (size_t i = 0; i < batch.size(); ++i) {
    if (!batch[i].variant->is_reference()) continue;
    const auto& generation = continuations[i].generation;
    full_answer_.emplace();
    full_answer_->ids = generation.ids;
    if (generation.stop_id) full_answer_->ids.push_back(*generation.stop_id);
  }
}

void PromptRun::measure(const std::vector<Sequence>& batch) {
  const bool has_reference = !reference_ids_.empty();
  const bool has_full_answer = full_answer_ && !full_answer_->ids.empty();
  std::vector<std::vector<int64_t>> answers;
  if (has_reference) answers.push_back(reference_ids_);
  if (has_full_answer) answers.push_back(full_answer_->ids);
  if (answers.empty()) return;

  std::vector<const Sequence*> measured;
  std::vector<BeforeAnswer> before;
  for (const auto& sequence : batch) {
    // A mask acts on decode steps alone, which teacher forcing has none of.
    if (sequence.variant->mask != nullptr) continue;
    measured.push_back(&sequence);
    before.push_back({&sequence.compression.cache, sequence.first_logits});
  }
  // Without a question of its own the first token's row is the prefill's, the same for all.
  const int64_t first_row = prompt_.question.empty() ? 1 : 0;
  force_answers(model_, before, answers, [&](size_t i, const AnswerRows& rows) {
    Fidelity fidelity;
    if (has_reference) fidelity.answer_nll = mean_nll(rows.front(), reference_ids_);
    if (has_full_answer) {
      const auto& own = rows.back();
      if (measured[i]->variant->is_reference()) full_answer_->log_probabilities = own;
      fidelity.full_answer_nll = mean_nll(own, full_answer_->ids);
      compare_distributions(full_answer_->log_probabilities, own, first_row, fidelity);
    }
    SampleRecord& record = *measured[i]->record;
    record.kl = fidelity.kl;
    record.top1_agreement = fidelity.top1_agreement;
    record.answer_nll = fidelity.answer_nll;
    record.full_answer_nll = fidelity.full_answer_nll;
  });
}

}  // namespace kvcal
