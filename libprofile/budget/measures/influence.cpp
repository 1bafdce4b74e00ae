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
/// Cost     layers * kv_heads * shares passes over question and answer a prompt.
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

/// A question over one context, and what the full cache answered.
class Asked {
 public:
  Asked(const PromptReader& reader, const Sample& sample, const PromptTokens& prompt,
        const CompactCache& full)
      : model_(reader.model), question_(prompt.question) {
    auto cache = full.fork(static_cast<int64_t>(question_.size()) + sample.max_new_tokens + 1);
    const auto logits = model_.forward(question_, cache, LogitsWanted::last);
    auto answer =
        generate(model_, cache, logits, sample.max_new_tokens, stop_rule(sample, model_.config()));
    if (answer.stop_id) answer.ids.push_back(*answer.stop_id);
    answer_ = std::move(answer.ids);
  }

  bool has_answer() const { return !answer_.empty(); }

  /// Mean negative log-likelihood of the answer over a compacted context, nats.
  double loss(const CompactCache& context) const {
    auto cache = context.fork(static_cast<int64_t>(question_.size() + answer_.size()));
    const auto first = model_.forward(question_, cache, LogitsWanted::last);
    const auto rows = answer_log_probabilities(model_, cache, first, std::span(&answer_, 1));
    return mean_nll(rows.front(), answer_);
  }

 private:
  const Model& model_;
  std::vector<int64_t> question_, answer_;
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
    const int64_t least = setup().method.needs().min_budget_tokens;
    const auto rest = at::full({config.layers, config.kv_heads},
                               entries(setup().rest_share, tokens, least), at::kLong);
    const auto compacted = compressor.compress_to(setup().method, rest, /*tail_capacity=*/0);
    const Asked asked(reader, sample, prompt, prefilled.cache.sealed(0));
    require(asked.has_answer(), Kind::input,
            "sample {}: the model gives no answer whose loss could be measured", sample.id);
    const double before = asked.loss(compacted.cache);

    UnitCostSample result{sha256(prompt_text(sample, chat)), {}};
    for (int64_t i = 0; i < config.layers * config.kv_heads; ++i) {
      for (const double share : setup().shares) {
        const int64_t layer = i / config.kv_heads;
        auto counts = rest[layer].clone();  // [kv_heads]
        counts[i % config.kv_heads] = entries(share, tokens, least);
        std::vector<CompactLayer> layers;
        for (int64_t l = 0; l < config.layers; ++l) {
          layers.push_back(compacted.cache.layer(l).prefix);
        }
        layers[static_cast<size_t>(layer)] =
            compressor.compress_layer(setup().method, layer, counts);
        result.losses.push_back(asked.loss(CompactCache(std::move(layers), tokens, 0)) - before);
      }
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
