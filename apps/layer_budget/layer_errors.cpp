// SPDX-License-Identifier: Apache-2.0
#include "layer_budget/layer_errors.hpp"

#include <spdlog/spdlog.h>

#include <algorithm>
#include <nlohmann/json.hpp>
#include <numeric>
#include <set>

#include "kvcal/profile/layer_budget.hpp"
#include "kvcal/profile/measure.hpp"
#include "kvcal/profile/work.hpp"
#include "shared/app.hpp"
#include "shared/output.hpp"
#include "shared/progress.hpp"
#include "shared/run_in_team.hpp"
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

/// A measure that is asked for.
struct AskedMeasure {
  const MeasureInfo* info;
  Method method;
  std::unique_ptr<Measure> measure;
};

/// As --measure says, else what the allocators need.
std::vector<const MeasureInfo*> chosen_measures(const LayerBudgetFlags& flags) {
  std::vector<const MeasureInfo*> chosen;
  for (const auto& name : flags.measures) chosen.push_back(&find_measure(name));
  if (!chosen.empty()) return chosen;
  Needs needs;
  for (const auto& name : flags.allocators) needs = needs | find_allocator(name).make({})->needs();
  for (const auto* info : measure_table()) {
    if (needs.*(info->part)) chosen.push_back(info);
  }
  if (chosen.empty()) chosen.push_back(&find_measure("error"));
  return chosen;
}

/// Ascending, and none below what the method needs there.
std::vector<int64_t> curve_tokens_of(const LayerBudgetFlags& flags, const Method& method) {
  std::set<int64_t> wanted(flags.error_curve.begin(), flags.error_curve.end());
  std::erase_if(
      wanted, [&](int64_t tokens) { return tokens < method.at(tokens).needs().min_budget_tokens; });
  return {wanted.begin(), wanted.end()};
}

/// What is wrong with a method is told before anything is measured.
std::vector<AskedMeasure> make_measures(const LayerBudgetFlags& flags, const ModelConfig& model,
                                        const Profile& profile, const ProfileFacts& facts) {
  std::vector<AskedMeasure> measures;
  for (const auto* info : chosen_measures(flags)) {
    const std::string& given = info->cuts_one_unit ? flags.cost_method : flags.method;
    Method method = load_method(given.empty() ? info->default_method : given);
    take_selection(method, profile);
    require(method.scorer != nullptr, Kind::config,
            "measure {}: method {} evicts nothing, so that nothing is lost", info->name,
            method.name);
    require_facts(method, facts, flags.profile);
    const MeasureSetup setup{model,
                             facts,
                             method,
                             {flags.error_budget_tokens, curve_tokens_of(flags, method)},
                             flags.shares,
                             flags.rest_share,
                             static_cast<uint64_t>(flags.shared.seed)};
    measures.push_back({info, std::move(method), info->make(setup)});
  }
  return measures;
}

std::vector<Dataset> open_datasets(const LayerBudgetFlags& flags, const Session& session,
                                   const Profile& profile,
                                   const std::vector<AskedMeasure>& measures) {
  const TaskContext context{session.tokenizer(), session.chat(), session.config().max_tokens,
                            static_cast<uint64_t>(flags.shared.seed)};
  const bool may_replace = flags.shared.is_force || flags.shared.is_resume;
  std::vector<Dataset> datasets;
  for (const auto& name : flags.tasks) {
    for (const auto& [info, method, measure] : measures) {
      require(may_replace || info->holds == nullptr || !info->holds(profile, name), Kind::config,
              "{} already holds layer errors of '{}': --force measures them anew", flags.profile,
              name);
    }
    Dataset dataset{name, open_task(name, context, parse_task_params(flags.task_params)), 0};
    dataset.prompts = dataset.task->size();
    if (flags.shared.limit > 0) dataset.prompts = std::min(dataset.prompts, flags.shared.limit);
    datasets.push_back(std::move(dataset));
  }
  return datasets;
}

void remember_prompt(const std::string& digest_of_prompt, Profile& profile) {
  const PromptDigest digest{digest_of_prompt, "layer-budget"};
  const auto found = std::find(profile.prompts.begin(), profile.prompts.end(), digest);
  if (found == profile.prompts.end()) profile.prompts.push_back(digest);
}

/// One measure of one prompt.
struct MeasuredPrompt {
  Measure* measure;
  const Dataset* dataset;
  int64_t index;
};

std::vector<MeasuredPrompt> units_of(const std::vector<AskedMeasure>& measures,
                                     const std::vector<Dataset>& datasets) {
  std::vector<MeasuredPrompt> units;
  for (const auto& asked : measures) {
    for (const auto& dataset : datasets) {
      for (int64_t i = 0; i < dataset.prompts; ++i) {
        units.push_back({asked.measure.get(), &dataset, i});
      }
    }
  }
  return units;
}

/// One progress bar over all measures; on rank 0 the measures and the profile's prompts know all in
/// the end.
void measure(const LayerBudgetFlags& flags, const std::vector<AskedMeasure>& measures,
             const std::vector<Dataset>& datasets, Session& session, Work& work, Profile& profile) {
  const auto units = units_of(measures, datasets);
  const auto end = static_cast<int64_t>(units.size());
  Progress progress("layer-budget", end, flags.shared.is_quiet);
  const auto make = [&](int64_t unit) -> WriteRecord {
    return [&, of = units[static_cast<size_t>(unit)]](Hdf5Writer& file) {
      const PromptReader reader{session.model(), session.tokenizer(), session.chat()};
      of.measure->run(reader, of.dataset->task->sample(of.index), file);
    };
  };
  const auto take = [&](int64_t unit, const Hdf5Reader& file) {
    const auto& of = units[static_cast<size_t>(unit)];
    remember_prompt(of.measure->add(of.dataset->name, file), profile);
  };
  const auto after = [&](int64_t unit, bool is_new) {
    progress.step(units[static_cast<size_t>(unit)].measure->estimate(), is_new);
    return true;
  };
  work.run(single_units(0, end), {make, take, after});
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

/// Entries a KV head, a whole number where all have as many.
std::string mean_of_layer(const std::vector<int64_t>& kept, int64_t layer, int64_t kv_heads) {
  const auto first = kept.begin() + layer * kv_heads;
  const int64_t sum = std::accumulate(first, first + kv_heads, int64_t{0});
  return sum % kv_heads == 0
             ? std::to_string(sum / kv_heads)
             : fmt::format("{:.1f}", static_cast<double>(sum) / static_cast<double>(kv_heads));
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
        row.push_back(mean_of_layer(kept, layer, model.kv_heads));
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

/// A rule whose input will be missing is told before anything is measured.
void check_allocators(const LayerBudgetFlags& flags, const std::vector<AskedMeasure>& measures,
                      const ProfileFacts& facts) {
  for (const auto& name : flags.allocators) {
    require_storable(name);
    const Needs needs = find_allocator(name).make({})->needs();
    for (const auto* info : measure_table()) {
      const bool is_measured = std::any_of(measures.begin(), measures.end(),
                                           [&](const auto& asked) { return asked.info == info; });
      require(!(needs.*(info->part)) || is_measured || info->is_in(facts), Kind::config,
              "allocator {} needs what {} lacks: --measure {}", name, flags.profile, info->name);
    }
  }
}

int measure_layer_budgets(const LayerBudgetFlags& flags, const CLI::App& app, Team& team) {
  require(flags.shared.output.empty(), Kind::config,
          "layer-budget adds to --profile {}; copy it first to keep the old one", flags.profile);
  Session session(flags.shared, team.launch());
  Profile profile = session.load_profile(flags.profile);
  const auto facts = profile.facts();
  auto measures = make_measures(flags, session.config(), profile, facts);
  check_allocators(flags, measures, facts);
  const auto datasets = open_datasets(flags, session, profile, measures);
  std::string resolved = resolved_flags(app);
  for (const auto& asked : measures) resolved += "---\n" + asked.method.resolved();
  if (flags.shared.is_dry_run) {
    if (team.is_root()) print_result(resolved);
    return kDone;
  }
  Work work(team, flags.profile, resolved, output_mode(flags.shared), Shards::Target::updated);
  measure(flags, measures, datasets, session, work, profile);
  if (!team.is_root()) return kDone;
  for (const auto& asked : measures) asked.measure->store(profile);
  allocate(flags, session.config(), profile);
  profile.begin_stage(
      make_provenance("layer-budget", flags.shared, resolved, session.dtype_name()));
  profile.save(flags.profile);
  work.finish();
  print_result(flags.shared.json == "-" ? budgets_as_json(profile)
                                        : budgets_as_table(flags, session.config(), profile));
  if (!flags.shared.json.empty() && flags.shared.json != "-") {
    write_text_file(flags.shared.json, budgets_as_json(profile));
  }
  return kDone;
}

}  // namespace

int measure_layer_budgets(const LayerBudgetFlags& flags, const CLI::App& app) {
  apply_shared_flags(flags.shared);
  return run_in_team(flags.shared,
                     [&](Team& team) { return measure_layer_budgets(flags, app, team); });
}

}  // namespace kvcal
