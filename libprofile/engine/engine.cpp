// SPDX-License-Identifier: Apache-2.0
#include "kvcal/profile/engine.hpp"

#include <fmt/format.h>

#include <algorithm>

#include "engine/context.hpp"
#include "engine/prompt_run.hpp"
#include "kvcal/compress/error.hpp"
#include "kvcal/profile/statistics.hpp"

namespace kvcal {

Engine::Engine(const Model& model, const Tokenizer& tokenizer, const ChatFormat& chat,
               ProfileFacts facts, const EngineOptions& options)
    : reader_{model, tokenizer, chat}, facts_(std::move(facts)), options_(options) {}

Engine::~Engine() = default;

int64_t budget_tokens(const Variant& variant, int64_t prompt_tokens, const Model& model) {
  if (variant.method->is_full()) return prompt_tokens;
  return variant.budget->tokens(prompt_tokens, model.config(), model.element_bytes(),
                                variant.method->bias_bytes());
}

void require_room(const Variant& variant, const PromptTokens& prompt, int64_t new_tokens,
                  const ModelConfig& model, const std::string& where) {
  const auto& method = *variant.method;
  require(variant.visibility != Visibility::aware || !(method.is_windowed() || method.is_rewrite()),
          Kind::config,
          "method {}: what it makes of a document is made before a question is asked: need "
          "--visibility agnostic or multi",
          method.name);
  // Positions of windows side by side end where one of them does.
  const bool is_side_by_side =
      method.is_windowed() && method.window_positions == WindowPositions::window;
  const auto context = static_cast<int64_t>(prompt.context.size());
  const int64_t taken = is_side_by_side ? std::min(context, method.window_tokens) : context;
  const int64_t needed = taken + prompt.total() - context + new_tokens;
  require(needed <= model.max_tokens, Kind::input,
          "{}, method {}: {} prompt tokens + {} new ones = {}, the model takes {}{}", where,
          method.name, needed - new_tokens, new_tokens, needed, model.max_tokens,
          is_side_by_side ? "" : " (methods with window_positions: window take any length)");
}

Context& Engine::prepare(const std::string& task, const Sample& sample, const PromptTokens& prompt,
                         std::span<const Variant> variants) {
  // Seeds are the sample's own, or its document's where the question is not seen: neither order nor
  // the other samples can change what is drawn.
  const bool is_of_document = !prompt.question.empty() && !sample.document.empty();
  const auto& owner = is_of_document ? sample.document : sample.id;
  const uint64_t seed = stable_hash(task + '/' + owner, options_.seed);
  if (context_ && context_->serves(prompt.context, seed, variants)) {
    context_->mark_reused();
  } else {
    auto next = std::make_unique<Context>(reader_, facts_, prompt.context, sample.chat, seed);
    next->prefill_whole(variants, context_.get());
    context_ = std::move(next);  // two prompts are held for the prefill alone
    context_->gather();
  }
  return *context_;
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
    const auto prompt = tokenize_prompt(sample, reader_.chat, reader_.tokenizer, visibility);
    const auto where = fmt::format("task {}, sample {}", task, sample.id);
    for (const auto* variant : chosen) {
      require_room(*variant, prompt, sample.max_new_tokens, reader_.model.config(), where);
    }
    Context& context = prepare(task, sample, prompt, variants);
    if (visibility != Visibility::aware) context.prefill_windows(variants);
    PromptRun run(reader_, options_, sample, prompt, context);
    run.run(chosen, filled, keep_sink);
  }
  const std::string prompt_sha256 = sha256(prompt_text(sample, reader_.chat));
  for (auto& record : records) record.task = task, record.prompt_sha256 = prompt_sha256;
  return records;
}

}  // namespace kvcal
