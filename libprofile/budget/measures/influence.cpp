// SPDX-License-Identifier: Apache-2.0
/// Influence: how the full cache's answers fare as one KV head is compacted more or less than all
/// others.
///
/// Source   arXiv:2602.16284 (Attention Matching); the authors' `head_budget_optimization/`
///          (2e59cc8).
/// Rule     all KV heads keep rest_share of the context, one of them another share;
///          loss = mean negative log-likelihood of the full cache's answer - the same with
///          rest_share for all. The question is not seen by compaction (agnostic).
/// Part     /kv_heads/influence; the allocator `am_influence` makes shares of it.
/// Differs  a KV head that is refitted leaves its layer's others alone, so only one layer is
///          compacted anew for each point; the authors compact the whole model.
/// Cost     question and answer are read layers * kv_heads * shares times a prompt, each time from
///          the KV head's layer on, several at once.
/// Checked  unit/influence_test.cpp.
#include <ATen/ATen.h>

#include <algorithm>
#include <cmath>

#include "budget/curve_measure.hpp"
#include "engine/teacher_forcing.hpp"
#include "kvcal/compress/error.hpp"
#include "kvcal/profile/statistics.hpp"

namespace kvcal {
namespace {

/// A question and what the full cache answered to it, read as one text.
class AskedText {
 public:
  AskedText(const PromptReader& reader, const Sample& sample, const PromptTokens& prompt,
            const CompactCache& full)
      : text_(prompt.question), question_(static_cast<int64_t>(prompt.question.size())) {
    const auto& model = reader.model;
    auto cache = full.fork(question_ + sample.max_new_tokens + 1);
    const auto logits = model.forward(text_, cache, LogitsWanted::last);
    auto answer =
        generate(model, cache, logits, sample.max_new_tokens, stop_rule(sample, model.config()));
    if (answer.stop_id) answer.ids.push_back(*answer.stop_id);
    text_.insert(text_.end(), answer.ids.begin(), answer.ids.end());
  }

  bool has_answer() const { return static_cast<int64_t>(text_.size()) > question_; }
  std::span<const std::vector<int64_t>> as_answers() const { return {&text_, 1}; }

  /// Mean negative log-likelihood of the answer alone, nats.
  double loss(const AnswerRows& rows) const {
    const auto answer = std::span(text_).subspan(static_cast<size_t>(question_));
    return mean_nll(rows.front().narrow(0, question_, static_cast<int64_t>(answer.size())), answer);
  }

 private:
  std::vector<int64_t> text_;
  int64_t question_;  // tokens
};

int64_t entries(double share, int64_t tokens, int64_t least) {
  const auto wanted = static_cast<int64_t>(share * static_cast<double>(tokens));
  return std::clamp(wanted, std::min(least, tokens), tokens);
}

class InfluenceMeasure final : public CurveMeasure {
 public:
  explicit InfluenceMeasure(const MeasureSetup& setup)
      : CurveMeasure(setup, setup.model.layers * setup.model.kv_heads, setup.rest_share,
                     &Profile::kv_head_influence) {}

 protected:
  UnitCostSample losses_of(const PromptReader& reader, const Sample& sample) const override {
    const auto& [model, tokenizer, chat] = reader;
    const auto& config = model.config();
    const auto prompt = tokenize_prompt(sample, chat, tokenizer, Visibility::agnostic);
    auto prefilled = prefill(model, prompt.context, setup().method.needs());
    gather_more(reader, sample.chat, prefilled);
    Compressor compressor(model, prefilled, setup().facts, stable_hash(sample.id, setup().seed));
    const int64_t tokens = prefilled.tokens();
    const Method& method = setup().method.at(entries(setup().rest_share, tokens, 1));
    const int64_t least = method.needs().min_budget_tokens;
    const auto rest = at::full({config.layers, config.kv_heads},
                               entries(setup().rest_share, tokens, least), at::kLong);
    const auto compacted = compressor.compress_to(method, rest, /*tail_capacity=*/0);
    const AskedText asked(reader, sample, prompt, prefilled.cache.sealed(0));
    require(asked.has_answer(), Kind::input,
            "sample {}: the model gives no answer whose loss could be measured", sample.id);
    // The first logits are the question's first token's, which does not count.
    const BeforeAnswer before{&compacted.cache, prefilled.last_logits};
    const double base = asked.loss(
        answer_log_probabilities(model, compacted.cache, before.first_logits, asked.as_answers()));
    const OneLayerForcing forcing(model, before, asked.as_answers());

    UnitCostSample result{sha256(prompt_text(sample, chat)), {}};
    for (int64_t layer = 0; layer < config.layers; ++layer) {
      std::vector<CompactLayer> prefixes;
      for (int64_t head = 0; head < config.kv_heads; ++head) {
        for (const double share : setup().shares) {
          auto counts = rest[layer].clone();  // [kv_heads]
          counts[head] = entries(share, tokens, least);
          prefixes.push_back(compressor.compress_layer(method, layer, counts));
        }
      }
      forcing.force(layer, prefixes, [&](size_t, const AnswerRows& rows) {
        result.losses.push_back(asked.loss(rows) - base);
      });
    }
    return result;
  }
};

}  // namespace

extern constexpr MeasureInfo measure_influence{
    "influence",
    "the full cache's answers when a KV head is compacted unlike all others",
    "am_highest_attention",
    true,
    &Needs::kv_head_influence,
    [](const ProfileFacts& facts) { return facts.kv_head_influence.has_value(); },
    nullptr,
    [](const MeasureSetup& setup) -> std::unique_ptr<Measure> {
      return std::make_unique<InfluenceMeasure>(setup);
    }};

}  // namespace kvcal
