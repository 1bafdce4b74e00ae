// SPDX-License-Identifier: Apache-2.0
// What a run will do, checked before it starts: variants, prompts, lengths, leakage, needs.
#pragma once

#include <memory>
#include <optional>
#include <set>
#include <string>
#include <vector>

#include "kv_eval/evaluation.hpp"
#include "kvcal/profile/baseline.hpp"
#include "kvcal/profile/duration.hpp"
#include "kvcal/profile/engine.hpp"
#include "kvcal/profile/gate.hpp"
#include "kvcal/profile/head_mask.hpp"
#include "kvcal/profile/memory.hpp"
#include "kvcal/profile/work.hpp"
#include "shared/session.hpp"

namespace kvcal {

struct PlannedTask {
  std::string name;
  std::unique_ptr<Task> task;
  int64_t samples = 0;
  int64_t longest_sample = 0, longest_tokens = 0;  ///< index and size of the longest prompt
};

struct EvalPlan {
  std::vector<Method> methods;
  std::vector<Budget> budgets;
  std::vector<NamedMask> masks;
  std::vector<Variant> variants;  ///< point into methods, budgets and masks
  std::vector<PlannedTask> tasks;
  std::vector<Gate> gates;
  std::optional<Results> baseline;
  std::optional<RunShard> shard;
  std::vector<PromptId> prompts;  ///< of all tasks, in order
  ProfileFacts facts;
  std::string inputs;  ///< YAML lines: hashes of what the result depends on
  int64_t samples = 0;
  int64_t prompt_tokens = 0;
  int64_t longest_prompt = 0, longest_tail = 0;  ///< tokens; question and answer in the tail
  std::vector<std::pair<Visibility, PromptShape>> shapes;  ///< of every prompt

  std::vector<bool> begins_alike;  ///< [prompts] mostly prefilled when the one before was
  /// The prompt of a unit: prompts of all tasks are counted in order.
  std::pair<const PlannedTask*, int64_t> sample_of(int64_t unit) const;
  /// Units begin .. end - 1 are run.
  std::pair<int64_t, int64_t> units() const {
    return shard ? shard->range(samples) : std::pair(int64_t{0}, samples);
  }
  /// Of these, side by side what one process should run for its prefixes.
  std::vector<UnitRange> groups() const;
  std::string resolved(const std::string& flags_yaml) const;
};

/// Methods, budgets, gates and shard: names and numbers that need no model, so that a typo is told
/// at once.
/// @throws Error{config}
std::unique_ptr<EvalPlan> plan_methods(const EvalFlags& flags);

/// Adds facts, masks, variants and tasks.
/// @throws Error  everything that can be known to be wrong before the model's weights are read
void plan_samples(const EvalFlags& flags, const Session& session, EvalPlan& plan);

/// What the run takes at most, for weights and entries of `element_bytes` each.
MemoryPlan predict_memory(const EvalPlan& plan, const ModelConfig& model, int64_t element_bytes);

/// What all prompts take on a device, at most: no stop token ends an answer, and nothing is taken
/// over from a prompt that begins alike.
Durations predict_durations(const EvalPlan& plan, const ModelConfig& model, int64_t element_bytes,
                            const Device& device, bool measures_fidelity);

/// Bytes that the caches of variants may take: as --memory says, else half of what is free when the
/// rest of the plan has its part, on a machine that so many `processes` of the run share.
/// @throws Error{config} not even one variant at a time fits
int64_t variant_memory(const EvalFlags& flags, const MemoryPlan& plan, int64_t processes);

}  // namespace kvcal
