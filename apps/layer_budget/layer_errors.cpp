// SPDX-License-Identifier: Apache-2.0
#include "layer_budget/layer_errors.hpp"

#include <spdlog/spdlog.h>

#include <algorithm>
#include <nlohmann/json.hpp>

#include "kvcal/profile/layer_budget.hpp"
#include "kvcal/profile/shards.hpp"
#include "shared/app.hpp"
#include "shared/output.hpp"
#include "shared/progress.hpp"
#include "shared/session.hpp"
#include "shared/table.hpp"
#include "shared/yaml_flags.hpp"

namespace kvcal {
namespace {

struct Dataset {
  std::string name;
  std::unique_ptr<Task> task;
  int64_t prompts = 0;
};

std::vector<Dataset> open_datasets(const LayerBudgetFlags& flags, const Session& session,
                                   const Profile& profile) {
  const TaskContext context{session.tokenizer(), session.chat(), session.config().max_tokens,
                            static_cast<uint64_t>(flags.shared.seed)};
  std::vector<Dataset> datasets;
  for (const auto& name : flags.tasks) {
    require(flags.shared.is_force || flags.shared.is_resume || !profile.layer_errors.contains(name),
            Kind::config, "{} already holds layer errors of '{}': --force measures them anew",
            flags.profile, name);
    Dataset dataset{name, open_task(name, context, parse_task_params(flags.task_params)), 0};
    dataset.prompts = dataset.task->size();
    if (flags.shared.limit > 0) dataset.prompts = std::min(dataset.prompts, flags.shared.limit);
    datasets.push_back(std::move(dataset));
  }
  return datasets;
}

std::string most_sensitive(const std::vector<double>& sum) {
  const auto layer = std::max_element(sum.begin(), sum.end()) - sum.begin();
  return fmt::format("most sensitive layer so far: {}", layer);
}

void add(const LayerErrorSample& sample, LayerErrors& errors) {
  errors.sum.resize(sample.sum.size());
  for (size_t layer = 0; layer < sample.sum.size(); ++layer) errors.sum[layer] += sample.sum[layer];
  errors.count += sample.steps;
}

/// Runs what the shards lack and replaces the datasets' errors in the profile.
void measure(const LayerBudgetFlags& flags, const Method& method,
             const std::vector<Dataset>& datasets, Session& session, Shards& shards,
             Profile& profile) {
  const auto facts = profile.facts();
  int64_t total = 0;
  for (const auto& dataset : datasets) total += dataset.prompts;
  Progress progress("layer-budget", total, flags.shared.is_quiet);
  int64_t unit = 0;
  for (const auto& dataset : datasets) {
    LayerErrors errors;
    for (int64_t i = 0; i < dataset.prompts; ++i, ++unit) {
      LayerErrorSample sample;
      const auto make = [&] {
        const auto made =
            measure_layer_error(session.model(), session.tokenizer(), session.chat(), facts, method,
                                flags.error_budget_tokens, dataset.task->sample(i),
                                static_cast<uint64_t>(flags.shared.seed));
        shards.write(unit, [&](Hdf5Writer& file) { write_layer_error(file, made); });
      };
      const bool is_new = take_unit(shards, unit, make, [&](const Hdf5Reader& file) {
        sample = read_layer_error(file, session.config().layers);
      });
      add(sample, errors);
      const PromptDigest digest{sample.prompt_sha256, "layer-budget"};
      if (std::find(profile.prompts.begin(), profile.prompts.end(), digest) ==
          profile.prompts.end()) {
        profile.prompts.push_back(digest);
      }
      progress.step(most_sensitive(errors.sum), is_new);
    }
    require(
        errors.count > 0, Kind::input,
        "task {}: no decode step was measured: every prompt is within {} tokens or got no answer",
        dataset.name, flags.error_budget_tokens);
    profile.layer_errors[dataset.name] = errors;
  }
}

void allocate(const LayerBudgetFlags& flags, const ModelConfig& model, Profile& profile) {
  const auto facts = profile.facts();
  for (const auto& allocator : flags.allocators) {
    for (int64_t budget : flags.budgets) {
      profile.budgets[allocator][budget] = allocate_for_profile(allocator, budget, model, facts);
    }
  }
}

std::string budgets_as_table(const LayerBudgetFlags& flags, const ModelConfig& model,
                             const Profile& profile) {
  std::vector<std::string> columns{"layer", "error share"};
  for (const auto& allocator : flags.allocators) {
    for (int64_t budget : flags.budgets) columns.push_back(fmt::format("{}@{}", allocator, budget));
  }
  Table table(columns);
  const auto importance = profile.layer_importance();
  for (int64_t layer = 0; layer < model.layers; ++layer) {
    std::vector<std::string> row{std::to_string(layer),
                                 fmt::format("{:.4f}", importance[static_cast<size_t>(layer)])};
    for (const auto& allocator : flags.allocators) {
      for (int64_t budget : flags.budgets) {
        const auto& kept = profile.budgets.at(allocator).at(budget);
        row.push_back(std::to_string(kept[static_cast<size_t>(layer * model.kv_heads)]));
      }
    }
    table.add(row);
  }
  return table.text() + fmt::format("\nwrote {}\n", flags.profile);
}

std::string budgets_as_json(const Profile& profile) {
  nlohmann::ordered_json json;
  json["format"] = "kvcal.layers/1";
  json["importance"] = profile.layer_importance();
  for (const auto& [dataset, errors] : profile.layer_errors) {
    json["errors"][dataset] = {{"sum", errors.sum}, {"steps", errors.count}};
  }
  for (const auto& [allocator, by_budget] : profile.budgets) {
    for (const auto& [budget, kept] : by_budget)
      json["budgets"][allocator][std::to_string(budget)] = kept;
  }
  return json.dump(2) + "\n";
}

}  // namespace

int measure_layer_budgets(const LayerBudgetFlags& flags, const CLI::App& app) {
  apply_shared_flags(flags.shared);
  require(flags.shared.output.empty(), Kind::config,
          "layer-budget adds to --profile {}; copy it first to keep the old one", flags.profile);
  const auto method = load_method(flags.method);
  require(!method.is_full(), Kind::config, "--method {}: nothing is evicted, so there is no error",
          method.name);
  for (const auto& allocator : flags.allocators) find_allocator(allocator);
  Session session(flags.shared);
  Profile profile = session.load_profile(flags.profile);
  require_facts(method, profile.facts(), flags.profile);
  const auto datasets = open_datasets(flags, session, profile);
  const std::string resolved = resolved_flags(app) + "---\n" + method.resolved();
  if (flags.shared.is_dry_run) {
    print_result(resolved);
    return kDone;
  }
  auto shards =
      Shards::open(flags.profile, resolved, output_mode(flags.shared), Shards::Target::updated);
  measure(flags, method, datasets, session, shards, profile);
  allocate(flags, session.config(), profile);
  profile.begin_stage(
      make_provenance("layer-budget", flags.shared, resolved, session.dtype_name()));
  profile.save(flags.profile);
  shards.finish();
  print_result(flags.shared.json == "-" ? budgets_as_json(profile)
                                        : budgets_as_table(flags, session.config(), profile));
  if (!flags.shared.json.empty() && flags.shared.json != "-") {
    write_text_file(flags.shared.json, budgets_as_json(profile));
  }
  return kDone;
}

}  // namespace kvcal
