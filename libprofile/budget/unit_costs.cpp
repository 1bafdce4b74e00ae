// SPDX-License-Identifier: Apache-2.0
// What the output loses when one layer, or one KV head, is cut alone.
#include <ATen/ATen.h>

#include <algorithm>
#include <cmath>

#include "engine/teacher_forcing.hpp"
#include "kvcal/compress/error.hpp"
#include "kvcal/profile/layer_budget.hpp"
#include "kvcal/profile/statistics.hpp"
#include "store/hdf5.hpp"

namespace kvcal {
namespace {

/// The answers that losses are taken on, and what the full cache makes of them.
struct Reference {
  std::vector<std::vector<int64_t>> answers;  // of the full cache, then the sample's first
  std::vector<at::Tensor> full;               // log-probabilities of each
};

std::vector<int64_t> full_answer(const Model& model, const Prefilled& prompt,
                                 const Sample& sample) {
  auto cache = prompt.cache.sealed(sample.max_new_tokens);
  auto answer = generate(model, cache, prompt.last_logits, sample.max_new_tokens,
                         stop_rule(sample, model.config()));
  if (answer.stop_id) answer.ids.push_back(*answer.stop_id);
  return answer.ids;
}

Reference make_reference(const Model& model, const Tokenizer& tokenizer, const Prefilled& prompt,
                         const Sample& sample) {
  Reference reference;
  reference.answers.push_back(full_answer(model, prompt, sample));
  auto ids = encode_reference(sample, tokenizer);
  if (!ids.empty()) reference.answers.push_back(std::move(ids));
  const auto cache = prompt.cache.sealed(sample.max_new_tokens + 1);
  reference.full = answer_log_probabilities(model, cache, prompt.last_logits, reference.answers);
  return reference;
}

double loss_of(const AnswerRows& rows, const Reference& reference) {
  Fidelity fidelity;
  compare_distributions(reference.full.front(), rows.front(), /*first_row=*/1, fidelity);
  double loss = std::isnan(fidelity.kl) ? 0 : fidelity.kl;
  for (size_t i = 1; i < reference.answers.size(); ++i) {
    loss +=
        mean_nll(rows[i], reference.answers[i]) - mean_nll(reference.full[i], reference.answers[i]);
  }
  return loss;
}

/// What stays of a layer, and what cuts it.
struct Cut {
  at::Tensor counts;  // [kv_heads] i64
  const Method* method;
};

/// [units of a layer * shares]
std::vector<Cut> cuts_of_layer(const Method& method, CostUnit unit, int64_t kv_heads,
                               std::span<const double> shares, int64_t tokens) {
  std::vector<Cut> cuts;
  const int64_t units = unit == CostUnit::layer ? 1 : kv_heads;
  for (int64_t i = 0; i < units; ++i) {
    for (const double share : shares) {
      const auto kept = static_cast<int64_t>(std::lround(share * static_cast<double>(tokens)));
      const Method& parts = method.at(kept);
      const int64_t least = std::min(parts.needs().min_budget_tokens, tokens);
      auto counts = at::full({kv_heads}, tokens, at::kLong);
      const auto cut = unit == CostUnit::layer ? counts : counts[i];
      cut.fill_(std::clamp(kept, least, tokens));
      cuts.push_back({counts, &parts});
    }
  }
  return cuts;
}

}  // namespace

UnitCostSample measure_unit_costs(const Model& model, const Tokenizer& tokenizer,
                                  const ChatFormat& chat, const ProfileFacts& facts,
                                  const Method& method, CostUnit unit,
                                  std::span<const double> shares, const Sample& sample,
                                  uint64_t seed) {
  const auto& config = model.config();
  UnitCostSample result;
  result.prompt_sha256 = sha256(prompt_text(sample, chat));
  const auto prompt = tokenize_prompt(sample, chat, tokenizer, Visibility::aware);
  auto prefilled = prefill(model, prompt.context, method.needs());
  gather_more({model, tokenizer, chat}, sample.chat, prefilled);
  Compressor compressor(model, prefilled, facts, stable_hash(sample.id, seed));
  const auto whole = prefilled.cache.sealed(/*tail_capacity=*/0);
  const auto reference = make_reference(model, tokenizer, prefilled, sample);
  const OneLayerForcing forcing(model, {&whole, prefilled.last_logits}, reference.answers);
  const auto cuts = cuts_of_layer(method, unit, config.kv_heads, shares, prefilled.tokens());
  for (int64_t layer = 0; layer < config.layers; ++layer) {
    std::vector<CompactLayer> prefixes;
    for (const auto& [counts, parts] : cuts) {
      prefixes.push_back(compressor.compress_layer(*parts, layer, counts));
    }
    forcing.force(layer, prefixes, [&](size_t, const AnswerRows& rows) {
      result.losses.push_back(loss_of(rows, reference));
    });
  }
  return result;
}

void write_unit_costs(Hdf5Writer& file, const UnitCostSample& sample) {
  file.write_scalar<std::string>("/prompt_sha256", sample.prompt_sha256);
  file.write<double>("/losses", sample.losses, {static_cast<int64_t>(sample.losses.size())});
}

UnitCostSample read_unit_costs(const Hdf5Reader& file, int64_t units, int64_t shares) {
  return {file.read_scalar<std::string>("/prompt_sha256"),
          file.read<double>("/losses", {units * shares})};
}

}  // namespace kvcal
