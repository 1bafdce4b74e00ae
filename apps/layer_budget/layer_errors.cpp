// SPDX-License-Identifier: Apache-2.0
#include "layer_budget/layer_errors.hpp"

#include <spdlog/spdlog.h>

#include <algorithm>
#include <nlohmann/json.hpp>
#include <set>

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

bool asks_for(const LayerBudgetFlags& flags, std::string_view measure) {
  return std::find(flags.measures.begin(), flags.measures.end(), measure) != flags.measures.end();
}

std::vector<Dataset> open_datasets(const LayerBudgetFlags& flags, const Session& session,
                                   const Profile& profile) {
  const TaskContext context{session.tokenizer(), session.chat(), session.config().max_tokens,
                            static_cast<uint64_t>(flags.shared.seed)};
  std::vector<Dataset> datasets;
  for (const auto& name : flags.tasks) {
    require(flags.shared.is_force || flags.shared.is_resume || !asks_for(flags, "error") ||
                !profile.layer_errors.contains(name),
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
  errors.curve.resize(sample.curve.size());
  for (size_t i = 0; i < sample.curve.size(); ++i) errors.curve[i] += sample.curve[i];
  errors.count += sample.steps;
}

void remember_prompt(const std::string& digest_of_prompt, Profile& profile) {
  const PromptDigest digest{digest_of_prompt, "layer-budget"};
  const auto found = std::find(profile.prompts.begin(), profile.prompts.end(), digest);
  if (found == profile.prompts.end()) profile.prompts.push_back(digest);
}

/// Ascending, and none below what the method needs.
std::vector<int64_t> curve_tokens_of(const LayerBudgetFlags& flags, const Method& method) {
  const std::set<int64_t> wanted(flags.error_curve.begin(), flags.error_curve.end());
  return {wanted.lower_bound(method.needs().min_budget_tokens), wanted.end()};
}

/// Runs what the shards lack and replaces the datasets' errors in the profile.
void measure_errors(const LayerBudgetFlags& flags, const Method& method,
                    const std::vector<Dataset>& datasets, Session& session, Shards& shards,
                    int64_t& unit, Progress& progress, Profile& profile) {
  const auto facts = profile.facts();
  const ErrorBudgets budgets{flags.error_budget_tokens, curve_tokens_of(flags, method)};
  for (const auto& dataset : datasets) {
    LayerErrors errors;
    errors.curve_tokens = budgets.curve;
    for (int64_t i = 0; i < dataset.prompts; ++i, ++unit) {
      LayerErrorSample sample;
      const auto make = [&] {
        const auto made = measure_layer_error(session.model(), session.tokenizer(), session.chat(),
                                              facts, method, budgets, dataset.task->sample(i),
                                              static_cast<uint64_t>(flags.shared.seed));
        shards.write(unit, [&](Hdf5Writer& file) { write_layer_error(file, made); });
      };
      const bool is_new = take_unit(shards, unit, make, [&](const Hdf5Reader& file) {
        sample = read_layer_error(file, session.config().layers,
                                  static_cast<int64_t>(budgets.curve.size()));
      });
      add(sample, errors);
      remember_prompt(sample.prompt_sha256, profile);
      progress.step(most_sensitive(errors.sum), is_new);
    }
    require(
        errors.count > 0, Kind::input,
        "task {}: no decode step was measured: every prompt is within {} tokens or got no answer",
        dataset.name, flags.error_budget_tokens);
    profile.layer_errors[dataset.name] = errors;
  }
}

/// Replaces the profile's cost curves of layers or KV heads.
void measure_costs(const LayerBudgetFlags& flags, CostUnit of, const Method& method,
                   const std::vector<Dataset>& datasets, Session& session, Shards& shards,
                   int64_t& unit, Progress& progress, Profile& profile) {
  const auto facts = profile.facts();
  const auto& config = session.config();
  UnitCosts costs;
  costs.units = config.layers * (of == CostUnit::layer ? 1 : config.kv_heads);
  costs.shares = flags.shares;
  costs.shares.push_back(1);
  const auto shares = static_cast<int64_t>(flags.shares.size());
  costs.sum.resize(static_cast<size_t>(costs.units * (shares + 1)));  // nothing lost at share 1
  for (const auto& dataset : datasets) {
    for (int64_t i = 0; i < dataset.prompts; ++i, ++unit) {
      UnitCostSample sample;
      const auto make = [&] {
        const auto made = measure_unit_costs(
            session.model(), session.tokenizer(), session.chat(), facts, method, of, flags.shares,
            dataset.task->sample(i), static_cast<uint64_t>(flags.shared.seed));
        shards.write(unit, [&](Hdf5Writer& file) { write_unit_costs(file, made); });
      };
      const bool is_new = take_unit(shards, unit, make, [&](const Hdf5Reader& file) {
        sample = read_unit_costs(file, costs.units, shares);
      });
      for (int64_t j = 0; j < costs.units * shares; ++j) {
        costs.sum[static_cast<size_t>(j / shares * (shares + 1) + j % shares)] +=
            sample.losses[static_cast<size_t>(j)];
      }
      ++costs.count;
      remember_prompt(sample.prompt_sha256, profile);
      progress.step(fmt::format("{} units", costs.units), is_new);
    }
  }
  (of == CostUnit::layer ? profile.layer_costs : profile.kv_head_costs) = std::move(costs);
}

/// All that --measure asks for, one progress bar over it.
void measure(const LayerBudgetFlags& flags, const Method& method, const Method& cost_method,
             const std::vector<Dataset>& datasets, Session& session, Shards& shards,
             Profile& profile) {
  int64_t prompts = 0, unit = 0;
  for (const auto& dataset : datasets) prompts += dataset.prompts;
  Progress progress("layer-budget", prompts * static_cast<int64_t>(flags.measures.size()),
                    flags.shared.is_quiet);
  if (asks_for(flags, "error")) {
    measure_errors(flags, method, datasets, session, shards, unit, progress, profile);
  }
  if (asks_for(flags, "kl")) {
    measure_costs(flags, CostUnit::layer, cost_method, datasets, session, shards, unit, progress,
                  profile);
  }
  if (asks_for(flags, "utility")) {
    measure_costs(flags, CostUnit::kv_head, cost_method, datasets, session, shards, unit, progress,
                  profile);
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

/// Empty where no layer error was measured.
std::vector<double> importance_of(const Profile& profile) {
  return profile.layer_errors.empty() ? std::vector<double>() : profile.layer_importance();
}

/// Mean loss at the least share that was measured.
std::string worst_loss(const UnitCosts& costs, int64_t unit) {
  const auto first = static_cast<size_t>(unit) * costs.shares.size();
  return fmt::format("{:.4f}", costs.sum[first] / static_cast<double>(costs.count));
}

std::string budgets_as_table(const LayerBudgetFlags& flags, const ModelConfig& model,
                             const Profile& profile) {
  const auto importance = importance_of(profile);
  std::vector<std::string> columns{"layer"};
  if (!importance.empty()) columns.push_back("error share");
  if (profile.layer_costs) columns.push_back("loss if cut alone");
  for (const auto& allocator : flags.allocators) {
    for (int64_t budget : flags.budgets) columns.push_back(fmt::format("{}@{}", allocator, budget));
  }
  Table table(columns);
  for (int64_t layer = 0; layer < model.layers; ++layer) {
    std::vector<std::string> row{std::to_string(layer)};
    if (!importance.empty()) {
      row.push_back(fmt::format("{:.4f}", importance[static_cast<size_t>(layer)]));
    }
    if (profile.layer_costs) row.push_back(worst_loss(*profile.layer_costs, layer));
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
  json["importance"] = importance_of(profile);
  for (const auto& [dataset, errors] : profile.layer_errors) {
    json["errors"][dataset] = {{"sum", errors.sum},
                               {"steps", errors.count},
                               {"curve_tokens", errors.curve_tokens},
                               {"curve", errors.curve}};
  }
  for (const auto& [allocator, by_budget] : profile.budgets) {
    for (const auto& [budget, kept] : by_budget)
      json["budgets"][allocator][std::to_string(budget)] = kept;
  }
  return json.dump(2) + "\n";
}

}  // namespace

namespace {

/// A rule whose input will be missing is told before anything is measured.
void check_allocators(const LayerBudgetFlags& flags, const Profile& profile) {
  for (const auto& name : flags.allocators) {
    const auto needs = find_allocator(name).make({})->needs();
    require(!needs.layer_error || asks_for(flags, "error") || !profile.layer_errors.empty(),
            Kind::config, "allocator {} needs layer errors, which {} lacks: --measure error", name,
            flags.profile);
  }
}

}  // namespace

int measure_layer_budgets(const LayerBudgetFlags& flags, const CLI::App& app) {
  apply_shared_flags(flags.shared);
  require(flags.shared.output.empty(), Kind::config,
          "layer-budget adds to --profile {}; copy it first to keep the old one", flags.profile);
  const auto method = load_method(flags.method);
  require(!method.is_full(), Kind::config, "--method {}: nothing is evicted, so there is no error",
          method.name);
  Session session(flags.shared);
  Profile profile = session.load_profile(flags.profile);
  require_facts(method, profile.facts(), flags.profile);
  check_allocators(flags, profile);
  const auto cost_method = load_method(flags.cost_method);
  if (asks_for(flags, "kl") || asks_for(flags, "utility")) {
    require(!cost_method.is_full(), Kind::config, "--cost-method {}: nothing is evicted",
            cost_method.name);
    require_facts(cost_method, profile.facts(), flags.profile);
  }
  const auto datasets = open_datasets(flags, session, profile);
  const std::string resolved = resolved_flags(app) + "---\n" + method.resolved();
  if (flags.shared.is_dry_run) {
    print_result(resolved);
    return kDone;
  }
  auto shards =
      Shards::open(flags.profile, resolved, output_mode(flags.shared), Shards::Target::updated);
  measure(flags, method, cost_method, datasets, session, shards, profile);
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
