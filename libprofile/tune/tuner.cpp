// SPDX-License-Identifier: Apache-2.0
#include <algorithm>
#include <limits>

#include "kvcal/compress/error.hpp"
#include "kvcal/profile/tune.hpp"

namespace kvcal {
namespace {

constexpr double kImpossible = std::numeric_limits<double>::infinity();

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
      facts_(std::move(facts)),
      budgets_(std::move(budgets)),
      visibility_(visibility),
      full_(full_cache()),
      fast_(model, tokenizer, chat, facts_, options_of(seed, false)),
      answering_(model, tokenizer, chat, facts_, options_of(seed, true)) {}

std::vector<bool> Tuner::can_honour(const Sample& sample,
                                    std::span<const BudgetedMethod> methods) const {
  const auto prompt = tokenize_prompt(sample, chat_, tokenizer_, visibility_);
  const auto prompt_tokens = static_cast<int64_t>(prompt.context.size());
  std::vector<bool> honours;
  for (const auto& [method, budget] : methods) {
    const int64_t tokens =
        budgets_.at(budget).tokens(prompt_tokens, model_.config(), model_.element_bytes());
    honours.push_back(tokens >= prompt_tokens || tokens >= method->needs().min_budget_tokens);
  }
  return honours;
}

std::vector<SampleRecord> Tuner::run(Engine& engine, const std::string& task, const Sample& sample,
                                     std::span<const BudgetedMethod> methods) {
  const auto honours = can_honour(sample, methods);
  std::vector<Variant> variants{{&full_, nullptr, visibility_}};
  for (size_t i = 0; i < methods.size(); ++i) {
    if (honours[i]) {
      variants.push_back({methods[i].method, &budgets_[methods[i].budget], visibility_});
    }
  }
  return engine.run(task, sample, variants);
}

std::vector<double> Tuner::losses(const std::string& task, const Sample& sample,
                                  const SearchSpace& space, std::span<const Candidate> candidates) {
  std::map<Choice, Method> methods;
  std::vector<BudgetedMethod> known;
  std::vector<size_t> places;
  for (size_t i = 0; i < candidates.size(); ++i) {
    const auto& [choice, budget] = candidates[i];
    auto found = methods.find(choice);
    if (found == methods.end()) {
      const auto name = fmt::format("point {}", methods.size());
      found = methods.emplace(choice, space.method(choice, name)).first;
    }
    if (!missing_facts(found->second, facts_).empty()) continue;
    known.push_back({&found->second, budget});
    places.push_back(i);
  }
  std::vector<double> losses(candidates.size(), kImpossible);
  const auto found = losses_of(task, sample, known);
  for (size_t i = 0; i < places.size(); ++i) losses[places[i]] = found[i];
  return losses;
}

std::vector<double> Tuner::losses_of(const std::string& task, const Sample& sample,
                                     std::span<const BudgetedMethod> methods) {
  try {
    return losses_of_all(task, sample, methods);
  } catch (const Error& error) {
    if (error.kind() != Kind::config) throw;
    if (methods.size() <= 1) return std::vector<double>(methods.size(), kImpossible);
  }
  // One of them asks for what this model does not have (more voters than a layer's heads): halve
  // until it stands alone.
  const size_t half = methods.size() / 2;
  auto found = losses_of(task, sample, methods.first(half));
  const auto others = losses_of(task, sample, methods.subspan(half));
  found.insert(found.end(), others.begin(), others.end());
  return found;
}

std::vector<double> Tuner::losses_of_all(const std::string& task, const Sample& sample,
                                         std::span<const BudgetedMethod> methods) {
  const auto honours = can_honour(sample, methods);
  const auto records = run(fast_, task, sample, methods);
  std::vector<double> losses;
  size_t next = 1;  // behind the full cache
  for (size_t i = 0; i < methods.size(); ++i) {
    losses.push_back(honours[i] ? selection_loss(records.at(next++), records.front())
                                : kImpossible);
  }
  return losses;
}

std::vector<SampleRecord> Tuner::answer(const std::string& task, const Sample& sample,
                                        std::span<const BudgetedMethod> methods) {
  return run(answering_, task, sample, methods);
}

}  // namespace kvcal
