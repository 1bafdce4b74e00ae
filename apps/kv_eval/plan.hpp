// SPDX-License-Identifier: Apache-2.0
// What a run will do, checked before it starts: variants, prompts, lengths, leakage, needs.
#pragma once

#include <memory>
#include <set>
#include <string>
#include <vector>

#include "kv_eval/evaluation.hpp"
#include "kvcal/profile/engine.hpp"
#include "shared/session.hpp"

namespace kvcal {

struct PlannedTask {
  std::string name;
  std::unique_ptr<Task> task;
  int64_t samples = 0;
};

struct EvalPlan {
  std::vector<Method> methods;
  std::vector<Budget> budgets;
  std::vector<Variant> variants;  ///< point into methods and budgets
  std::vector<PlannedTask> tasks;
  ProfileFacts facts;
  std::string inputs;  ///< YAML lines: hashes of what the result depends on
  int64_t samples = 0;
  int64_t prompt_tokens = 0, longest_prompt = 0;

  std::string resolved(const std::string& flags_yaml) const;
};

/// Methods, budgets and variants: names and numbers that need no model, so that a typo is told at
/// once.
/// @throws Error{config}
std::unique_ptr<EvalPlan> plan_variants(const EvalFlags& flags);

/// Adds tasks and facts.
/// @throws Error  everything that can be known to be wrong before the model's weights are read
void plan_samples(const EvalFlags& flags, const Session& session, EvalPlan& plan);

}  // namespace kvcal
