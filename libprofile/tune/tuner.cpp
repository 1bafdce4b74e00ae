// SPDX-License-Identifier: Apache-2.0
#include <limits>

#include "kvcal/compress/error.hpp"
#include "kvcal/profile/tune.hpp"

namespace kvcal {
namespace {

EngineOptions options_of(uint64_t seed, bool generates) {
  EngineOptions options;
  options.seed = seed;
  options.generates = generates;
  return options;
}

Method full_cache() {
  Method method;
  method.name = "full";
  return method;
}

}  // namespace

double selection_loss(const SampleRecord& variant, const SampleRecord& full) {
  if (variant.uncompressed) return 0;
  double loss = 0;
  if (!std::isnan(variant.kl)) loss += variant.kl;
  if (!std::isnan(variant.answer_nll)) loss += variant.answer_nll - full.answer_nll;
  return loss;
}

Tuner::Tuner(const Model& model, const Tokenizer& tokenizer, const ChatFormat& chat,
             ProfileFacts facts, std::vector<Budget> budgets, Visibility visibility, uint64_t seed)
    : model_(model),
      tokenizer_(tokenizer),
      chat_(chat),
      budgets_(std::move(budgets)),
      visibility_(visibility),
      full_(full_cache()),
      fast_(model, tokenizer, chat, facts, options_of(seed, false)),
      answering_(model, tokenizer, chat, facts, options_of(seed, true)) {}

bool Tuner::can_honour(const Method& method, const Budget& budget, int64_t prompt_tokens) const {
  const int64_t tokens = budget.tokens(prompt_tokens, model_.config(), model_.element_bytes());
  return tokens >= prompt_tokens || tokens >= method.needs().min_budget_tokens;
}

std::vector<SampleRecord> Tuner::run(Engine& engine, const std::string& task, const Sample& sample,
                                     std::span<const Method> methods) {
  const auto prompt = tokenize_prompt(sample, chat_, tokenizer_, visibility_);
  const auto tokens = static_cast<int64_t>(prompt.context.size());
  std::vector<Variant> variants{{&full_, nullptr, visibility_}};
  for (const auto& method : methods) {
    for (const auto& budget : budgets_) {
      if (can_honour(method, budget, tokens)) variants.push_back({&method, &budget, visibility_});
    }
  }
  return engine.run(task, sample, variants);
}

std::vector<double> Tuner::losses(const std::string& task, const Sample& sample,
                                  std::span<const Method> methods) {
  try {
    return losses_of_all(task, sample, methods);
  } catch (const Error& error) {
    if (error.kind() != Kind::config) throw;
    if (methods.size() <= 1) {
      return std::vector<double>(methods.size(), std::numeric_limits<double>::infinity());
    }
  }
  // One of them asks for what this model does not have (more voters than a layer's heads): halve
  // until it stands alone.
  const size_t half = methods.size() / 2;
  auto found = losses(task, sample, methods.first(half));
  const auto others = losses(task, sample, methods.subspan(half));
  found.insert(found.end(), others.begin(), others.end());
  return found;
}

std::vector<double> Tuner::losses_of_all(const std::string& task, const Sample& sample,
                                         std::span<const Method> methods) {
  const auto records = run(fast_, task, sample, methods);
  const SampleRecord& full = records.front();
  std::vector<double> losses;
  size_t next = 1;
  for (const auto& method : methods) {
    double sum = 0;
    for (const auto& budget : budgets_) {
      const bool is_run = next < records.size() && records[next].method == method.name &&
                          records[next].budget == budget.text();
      sum +=
          is_run ? selection_loss(records[next++], full) : std::numeric_limits<double>::infinity();
    }
    losses.push_back(sum / static_cast<double>(budgets_.size()));
  }
  return losses;
}

std::vector<SampleRecord> Tuner::answer(const std::string& task, const Sample& sample,
                                        std::span<const Method> methods) {
  return run(answering_, task, sample, methods);
}

}  // namespace kvcal
