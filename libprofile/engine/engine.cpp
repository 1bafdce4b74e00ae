// SPDX-License-Identifier: Apache-2.0
#include "kvcal/profile/engine.hpp"

#include <ATen/ATen.h>

#include "engine/prompt_run.hpp"
#include "engine/replay.hpp"
#include "engine/sentences.hpp"
#include "engine/study.hpp"
#include "kvcal/compress/error.hpp"
#include "kvcal/profile/statistics.hpp"

namespace kvcal {
namespace {

Needs needs_of(std::span<const Variant> variants) {
  Needs needs;
  for (const auto& variant : variants) needs = needs | variant.method->needs();
  return needs;
}

}  // namespace

/// A context as the last sample left it: its prefill, and what the methods found out of it. The
/// next question about the same context starts from here.
struct Engine::Prepared {
  uint64_t seed;
  Prefilled prefilled;
  Compressor compressor;

  Prepared(const Model& model, const ProfileFacts& facts, Prefilled prefilled_, uint64_t seed_)
      : seed(seed_), prefilled(std::move(prefilled_)), compressor(model, prefilled, facts, seed) {}
};

Engine::Engine(const Model& model, const Tokenizer& tokenizer, const ChatFormat& chat,
               ProfileFacts facts, const EngineOptions& options)
    : model_(model),
      tokenizer_(tokenizer),
      chat_(chat),
      facts_(std::move(facts)),
      options_(options) {}

Engine::~Engine() = default;

Engine::Prepared& Engine::prepare(const std::string& task, const Sample& sample,
                                  const PromptTokens& prompt, std::span<const Variant> variants) {
  // Seeds are the sample's own, or its document's where the question is not seen: neither order nor
  // the other samples can change what is drawn.
  const bool is_of_document = !prompt.question.empty() && !sample.document.empty();
  const auto& owner = is_of_document ? sample.document : sample.id;
  const uint64_t seed = stable_hash(task + '/' + owner, options_.seed);
  const Needs needs = needs_of(variants);
  if (prepared_ && prepared_->prefilled.ids == prompt.context && prepared_->seed == seed &&
      prepared_->prefilled.needs == needs) {
    prepared_->prefilled.reused_tokens = prepared_->prefilled.tokens();
    prepared_->prefilled.seconds = 0;
    return *prepared_;
  }
  auto prefilled =
      prefill(model_, prompt.context, needs, prepared_ ? &prepared_->prefilled : nullptr);
  prepared_.reset();
  replay(model_, prompt.context, ReplayText(tokenizer_, chat_, sample.chat), needs, prefilled);
  if (needs.sentences) prefilled.sentences = number_sentences(tokenizer_, prompt.context);
  study(model_, tokenizer_, chat_, sample.chat, needs, prefilled);
  prepared_ = std::make_unique<Prepared>(model_, facts_, std::move(prefilled), seed);
  return *prepared_;
}

std::vector<SampleRecord> Engine::run(const std::string& task, const Sample& sample,
                                      std::span<const Variant> variants,
                                      const KeepSink& keep_sink) {
  std::vector<SampleRecord> records(variants.size());
  for (Visibility visibility : {Visibility::aware, Visibility::agnostic, Visibility::multi}) {
    std::vector<const Variant*> chosen;
    std::vector<SampleRecord*> filled;
    for (size_t i = 0; i < variants.size(); ++i) {
      if (variants[i].visibility != visibility) continue;
      chosen.push_back(&variants[i]);
      filled.push_back(&records[i]);
    }
    if (chosen.empty()) continue;
    const auto prompt = tokenize_prompt(sample, chat_, tokenizer_, visibility);
    const int64_t needed = prompt.total() + sample.max_new_tokens;
    require(needed <= model_.config().max_tokens, Kind::input,
            "task {}, sample {}: {} prompt tokens + {} new ones = {}, the model takes {}", task,
            sample.id, prompt.total(), sample.max_new_tokens, needed, model_.config().max_tokens);
    Prepared& prepared = prepare(task, sample, prompt, variants);
    PromptRun run(model_, tokenizer_, options_, sample, prompt, prepared.prefilled,
                  prepared.compressor);
    run.run(chosen, filled, keep_sink);
  }
  const std::string prompt_sha256 = sha256(prompt_text(sample, chat_));
  for (auto& record : records) record.task = task, record.prompt_sha256 = prompt_sha256;
  return records;
}

}  // namespace kvcal
