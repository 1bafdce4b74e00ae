// SPDX-License-Identifier: Apache-2.0
#include "kv_eval/plan.hpp"

#include <algorithm>
#include <limits>

#include "kvcal/compress/error.hpp"
#include "shared/machine.hpp"
#include "shared/table.hpp"

namespace kvcal {
namespace {

/// Twice the same would count each sample twice.
void require_unique(std::vector<std::string> names, std::string_view what) {
  std::sort(names.begin(), names.end());
  const auto twice = std::adjacent_find(names.begin(), names.end());
  if (twice != names.end()) fail(Kind::config, "{} '{}' is given twice", what, *twice);
}

void load_methods(const EvalFlags& flags, EvalPlan& plan) {
  for (const auto& name : flags.methods) plan.methods.push_back(load_method(name));
  plan.budgets = parse_budgets(flags.budgets);
  std::vector<std::string> methods, budgets;
  for (const auto& method : plan.methods) methods.push_back(method.name);
  for (const auto& budget : plan.budgets) budgets.push_back(budget.text());
  require_unique(methods, "method");
  require_unique(budgets, "budget");
  require_unique(flags.tasks, "task");
  require_unique(flags.visibilities, "visibility");
}

/// What is judged has to be run, and a part of a run is not judged.
void read_gates(const EvalFlags& flags, EvalPlan& plan) {
  std::vector<std::string> variants;
  for (const auto& method : plan.methods) {
    if (method.is_full()) variants.push_back(method.name);
    for (const auto& budget : plan.budgets) {
      if (!method.is_full()) variants.push_back(method.name + "@" + budget.text());
    }
  }
  for (const auto& text : flags.gates) {
    plan.gates.push_back(parse_gate(text));
    const Gate& gate = plan.gates.back();
    require_runs(gate, variants, flags.tasks);
    require(gate.field == "score" || !flags.skips_fidelity, Kind::config,
            "gate '{}': {} is not measured with --no-fidelity", text, gate.field);
  }
}

void read_shard(const EvalFlags& flags, EvalPlan& plan) {
  if (flags.shard.empty()) return;
  plan.shard = RunShard::parse(flags.shard);
  require(!flags.shared.output.empty(), Kind::config,
          "--shard {} needs --output: its file is what is merged", flags.shard);
  require(flags.gates.empty() && flags.baseline.empty() && !flags.measures_latency, Kind::config,
          "--shard {} is a part: judge and measure the merged run (the same flags without --shard, "
          "--output of the merged file and --resume)",
          flags.shard);
}

/// Masks are variants of the full cache: what heads do is asked apart from what eviction does.
void make_variants(const EvalFlags& flags, EvalPlan& plan) {
  for (const auto& visibility : flags.visibilities) {
    const Visibility parsed = parse_visibility(visibility);
    for (const auto& method : plan.methods) {
      if (method.is_full()) {
        plan.variants.push_back({&method, nullptr, parsed});
        for (const auto& mask : plan.masks) {
          plan.variants.push_back({&method, nullptr, parsed, &mask});
        }
        continue;
      }
      for (const auto& budget : plan.budgets) plan.variants.push_back({&method, &budget, parsed});
    }
  }
}

void load_masks(const EvalFlags& flags, const Session& session, const Profile& profile,
                EvalPlan& plan) {
  const bool has_full = std::any_of(plan.methods.begin(), plan.methods.end(),
                                    [](const Method& method) { return method.is_full(); });
  require(flags.masks.empty() || has_full, Kind::config,
          "--mask silences heads of the full cache: add `full` to --methods");
  for (const auto& spec : flags.masks) {
    plan.masks.push_back(
        make_head_mask(spec, profile, session.config(), static_cast<uint64_t>(flags.shared.seed)));
  }
}

void open_tasks(const EvalFlags& flags, const Session& session, EvalPlan& plan) {
  const TaskContext context{session.tokenizer(), session.chat(), session.config().max_tokens,
                            static_cast<uint64_t>(flags.shared.seed)};
  for (const auto& name : flags.tasks) {
    PlannedTask planned{name, open_task(name, context, parse_task_params(flags.task_params)), 0};
    planned.samples = planned.task->size();
    if (flags.shared.limit > 0) planned.samples = std::min(planned.samples, flags.shared.limit);
    plan.samples += planned.samples;
    plan.tasks.push_back(std::move(planned));
  }
}

/// A budget that one method cannot honour is told for the prompt that shows it.
void check_budgets(const EvalPlan& plan, const Session& session, const std::string& sample,
                   int64_t tokens) {
  for (const auto& variant : plan.variants) {
    if (variant.budget == nullptr) continue;
    // Two bytes an element: the smallest cache, so that what passes here passes at any dtype.
    const int64_t budget =
        variant.budget->tokens(tokens, session.config(), 2, variant.method->bias_bytes());
    const int64_t least = variant.method->at(budget).needs().min_budget_tokens;
    require(budget >= tokens || budget >= least, Kind::config,
            "method {}: budget {} is {} tokens of the {} of {}, the method needs at least {}",
            variant.method->name, variant.budget->text(), budget, tokens, sample, least);
  }
}

void read_baseline(const EvalFlags& flags, const Session& session, EvalPlan& plan) {
  if (flags.baseline.empty()) return;
  plan.baseline = Results::load(flags.baseline);
  const auto& records = plan.baseline->records;
  const bool has_full = std::any_of(records.begin(), records.end(),
                                    [](const auto& record) { return is_full_cache(record); });
  const bool runs_full = std::any_of(plan.variants.begin(), plan.variants.end(),
                                     [](const auto& variant) { return variant.is_reference(); });
  require(runs_full || !has_full, Kind::config,
          "--baseline {} has the full cache, which has to be derived anew before anything is "
          "compared: add `full` to --methods",
          flags.baseline);
  require_comparable(*plan.baseline, session.identity(), plan.prompts, flags.baseline);
}

/// Most of it is whole chunks that were prefilled for the prompt before.
bool is_mostly_prefilled(std::span<const int64_t> ids, std::span<const int64_t> before) {
  const auto [differs, unused] =
      std::mismatch(ids.begin(), ids.end(), before.begin(), before.end());
  const int64_t alike = differs - ids.begin();
  const int64_t chunk = ModelOptions().prefill_chunk_tokens;
  const int64_t reused = alike / chunk * chunk;
  return 2 * reused >= static_cast<int64_t>(ids.size());
}

void check_samples(const EvalFlags& flags, const Session& session,
                   const std::set<std::string>& calibration, EvalPlan& plan) {
  std::vector<int64_t> ids_before;
  for (auto& task : plan.tasks) {
    for (int64_t i = 0; i < task.samples; ++i) {
      const Sample sample = task.task->sample(i);
      const std::string where = fmt::format("task {}, sample {}", task.name, sample.id);
      const std::string digest = sha256(prompt_text(sample, session.chat()));
      plan.prompts.push_back({task.name, sample.id, digest});
      require(flags.allows_leakage || !calibration.contains(digest), Kind::config,
              "{}: this prompt was used to make {}; its score would be too good. Choose other "
              "prompts, or "
              "--allow-leakage to insist",
              where, flags.profile);
      for (const auto& visibility : flags.visibilities) {
        const auto prompt = tokenize_prompt(sample, session.chat(), session.tokenizer(),
                                            parse_visibility(visibility));
        for (const auto& variant : plan.variants) {
          if (to_string(variant.visibility) != visibility) continue;
          require_room(variant, prompt, sample.max_new_tokens, session.config(), where);
        }
        check_budgets(plan, session, where, static_cast<int64_t>(prompt.context.size()));
        plan.prompt_tokens += prompt.total();
        if (prompt.total() > task.longest_tokens) {
          task.longest_tokens = prompt.total(), task.longest_sample = i;
        }
        const auto seen = static_cast<int64_t>(prompt.context.size());
        plan.longest_prompt = std::max(plan.longest_prompt, seen);
        const int64_t tail = prompt.total() + sample.max_new_tokens - seen;
        plan.longest_tail = std::max(plan.longest_tail, tail);
        plan.shapes.push_back({parse_visibility(visibility), {seen, tail}});
        if (visibility == flags.visibilities.front()) {
          plan.begins_alike.push_back(is_mostly_prefilled(prompt.context, ids_before));
          ids_before = prompt.context;
        }
      }
    }
  }
}

}  // namespace

std::pair<const PlannedTask*, int64_t> EvalPlan::sample_of(int64_t unit) const {
  auto task = tasks.begin();
  for (; unit >= task->samples; ++task) unit -= task->samples;
  return {&*task, unit};
}

std::vector<UnitRange> EvalPlan::groups() const {
  const auto [begin, end] = units();
  std::vector<UnitRange> groups;
  for (int64_t unit = begin; unit < end; ++unit) {
    const bool goes_on = unit > begin && begins_alike[static_cast<size_t>(unit)];
    if (goes_on) {
      groups.back().end = unit + 1;
    } else {
      groups.push_back({unit, unit + 1});
    }
  }
  return groups;
}

std::string EvalPlan::resolved(const std::string& flags_yaml) const {
  std::string text = flags_yaml + inputs;
  for (const auto& method : methods) text += "---\n" + method.resolved();
  if (shard) text += shard->config_line();
  return text;
}

std::unique_ptr<EvalPlan> plan_methods(const EvalFlags& flags) {
  auto plan = std::make_unique<EvalPlan>();
  load_methods(flags, *plan);
  read_gates(flags, *plan);
  read_shard(flags, *plan);
  for (const auto& visibility : flags.visibilities) parse_visibility(visibility);
  return plan;
}

void plan_samples(const EvalFlags& flags, const Session& session, EvalPlan& plan) {
  plan.inputs = fmt::format("weights_sha256: {}\n", session.identity().weights_sha256);
  std::set<std::string> calibration;
  Profile profile;
  if (!flags.profile.empty()) {
    profile = session.load_profile(flags.profile);
    plan.facts = profile.facts();
    plan.inputs += fmt::format("profile_sha256: {}\n", sha256_of_file(flags.profile));
    for (const auto& prompt : profile.prompts) calibration.insert(prompt.sha256);
  }
  for (auto& method : plan.methods) take_selection(method, profile);
  for (const auto& method : plan.methods) require_facts(method, plan.facts, flags.profile);
  load_masks(flags, session, profile, plan);
  make_variants(flags, plan);
  open_tasks(flags, session, plan);
  check_samples(flags, session, calibration, plan);
  plan.units();  // throws where there are more shards than prompts
  read_baseline(flags, session, plan);
}

MemoryPlan predict_memory(const EvalPlan& plan, const ModelConfig& model, int64_t element_bytes) {
  PromptShape shape;
  shape.tokens = plan.longest_prompt;
  shape.tail_tokens = plan.longest_tail;
  shape.element_bytes = element_bytes;
  return predict_memory(model, shape, plan.variants);
}

Durations predict_durations(const EvalPlan& plan, const ModelConfig& model, int64_t element_bytes,
                            const Device& device, bool measures_fidelity) {
  Durations sum;
  for (auto [visibility, shape] : plan.shapes) {
    shape.element_bytes = element_bytes;
    std::vector<Variant> variants;
    for (const auto& variant : plan.variants) {
      if (variant.visibility == visibility) variants.push_back(variant);
    }
    const auto one = predict_durations(model, shape, variants, device, measures_fidelity);
    sum.prefill += one.prefill;
    sum.statistics += one.statistics;
    sum.decoding += one.decoding;
    sum.fidelity += one.fidelity;
  }
  return sum;
}

int64_t variant_memory(const EvalFlags& flags, const MemoryPlan& plan, int64_t processes) {
  if (!flags.memory.empty()) {
    const int64_t given = parse_bytes(flags.memory);
    // What costly methods made of a document is held all the time.
    const int64_t least = plan.compactions + plan.largest_variant;
    require(given >= least, Kind::config,
            "--memory {} is less than the largest variant alone takes ({}{})", flags.memory,
            format_bytes(static_cast<double>(least)),
            plan.compactions > 0 ? ", with what is held for the next question" : "");
    return given - plan.compactions;
  }
  const int64_t free = available_memory() / processes;
  if (free == 0) return std::numeric_limits<int64_t>::max();
  const int64_t others = plan.total() - plan.variants;
  require(plan.least() <= free, Kind::config,
          "the run takes at least {}, the machine has {} free: shorter prompts, or dtype bf16",
          format_bytes(static_cast<double>(plan.least())), format_bytes(static_cast<double>(free)));
  return std::max(plan.largest_variant, (free - others) / 2);
}

}  // namespace kvcal
