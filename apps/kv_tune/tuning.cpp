// SPDX-License-Identifier: Apache-2.0
#include "kv_tune/tuning.hpp"

#include <fmt/ranges.h>

#include <algorithm>
#include <cmath>
#include <set>
#include <utility>

#include "kv_tune/tune_report.hpp"
#include "kvcal/compress/error.hpp"
#include "kvcal/profile/statistics.hpp"
#include "kvcal/profile/work.hpp"
#include "shared/app.hpp"
#include "shared/output.hpp"
#include "shared/progress.hpp"
#include "shared/run_in_team.hpp"
#include "shared/session.hpp"
#include "shared/yaml_flags.hpp"

namespace kvcal {
namespace {

/// A prompt of one of the tasks; made anew each time it is needed.
struct PromptOfTask {
  const Task* task;
  std::string name;
  int64_t index;

  Sample sample() const { return task->sample(index); }
};

/// Twice the same would be searched twice.
void require_unique_budgets(const std::string& list) {
  std::set<std::string> seen;
  for (const auto& budget : parse_budgets(list)) {
    require(seen.insert(budget.text()).second, Kind::config, "--budgets: {} is given twice",
            budget.text());
  }
}

struct Prompts {
  std::vector<std::unique_ptr<Task>> tasks;
  std::vector<PromptOfTask> tuning, held_out;
};

/// In an order that is drawn, so that the few prompts that all points see are a sample of all.
void shuffle(std::vector<PromptOfTask>& prompts, uint64_t seed) {
  std::vector<std::pair<uint64_t, PromptOfTask>> drawn;
  for (size_t i = 0; i < prompts.size(); ++i) drawn.emplace_back(random_bits(seed, i), prompts[i]);
  std::stable_sort(drawn.begin(), drawn.end(),
                   [](const auto& a, const auto& b) { return a.first < b.first; });
  for (size_t i = 0; i < prompts.size(); ++i) prompts[i] = std::move(drawn[i].second);
}

/// The last prompts of each task are held out: samples of a task come in order of grids that cover
/// it, so both parts see all lengths and depths.
Prompts split_prompts(const TuneFlags& flags, const Session& session) {
  const TaskContext context{session.tokenizer(), session.chat(), session.config().max_tokens,
                            static_cast<uint64_t>(flags.shared.seed)};
  Prompts prompts;
  for (const auto& name : flags.tasks) {
    prompts.tasks.push_back(open_task(name, context, parse_task_params(flags.task_params)));
    const Task* task = prompts.tasks.back().get();
    int64_t count = task->size();
    if (flags.shared.limit > 0) count = std::min(count, flags.shared.limit);
    const auto held_out =
        static_cast<int64_t>(std::lround(static_cast<double>(count) * flags.held_out));
    require(held_out >= 1 && held_out < count, Kind::config,
            "task {}: {} prompts, of which {} are held out; need at least one to tune on and one "
            "to check with",
            name, count, held_out);
    for (int64_t i = 0; i < count; ++i) {
      (i < count - held_out ? prompts.tuning : prompts.held_out).push_back({task, name, i});
    }
  }
  shuffle(prompts.tuning, static_cast<uint64_t>(flags.shared.seed));
  return prompts;
}

/// Contenders whose budget was below what they need on every held-out prompt.
void note_without_row(const std::vector<HeldOutRow>& rows, TunedBudget& at) {
  for (const auto& method : at.contenders) {
    const bool has_row = std::any_of(rows.begin(), rows.end(), [&](const HeldOutRow& row) {
      return row.method == method.name && row.budget == at.budget;
    });
    if (has_row) continue;
    at.left_out.push_back(
        {method.name, fmt::format("needs {} tokens", method.needs().min_budget_tokens)});
  }
}

class TuningRun {
 public:
  TuningRun(const TuneFlags& flags, Session& session, const Profile& profile,
            const Prompts& prompts, const Team& team, Work& work)
      : flags_(flags),
        prompts_(prompts),
        work_(work),
        progress_("kv-tune", static_cast<int64_t>(flags.spaces.size()) * most_units(),
                  flags.shared.is_quiet || !team.is_root()),
        tuner_(session.model(), session.tokenizer(), session.chat(), profile.facts(),
               parse_budgets(flags.budgets), parse_visibility(flags.visibility),
               static_cast<uint64_t>(flags.shared.seed)) {}

  TunedSpace run(const SearchSpace& space) {
    TunedSpace tuned;
    tuned.name = space.name();
    tuned.compared_with = space.compared_with();
    tuned.chosen = space.chosen_name();
    tuned.tuned_on = static_cast<int64_t>(prompts_.tuning.size());
    tuned.held_out = static_cast<int64_t>(prompts_.held_out.size());
    ++spaces_begun_;
    const auto found =
        search(space, options(), [&](auto inquiries) { return losses(space, inquiries); });
    for (size_t i = 0; i < found.size(); ++i) {
      const auto& budget = tuner_.budgets()[i].text();
      require(std::isfinite(found[i].loss), Kind::config,
              "{}: no point of the space can be honoured at {} on all prompts: its windows need "
              "more tokens, or longer prompts",
              space.name(), budget);
      tuned.budgets.push_back({.budget = budget, .search = found[i]});
    }
    // The search may have ended early; what is left is known now.
    progress_.expect(tuned.tuned_on + tuned.held_out + spaces_left() * most_units());
    confirm(space, tuned);
    tuned.rows = held_out(tuned);
    for (auto& at : tuned.budgets) note_without_row(tuned.rows, at);
    return tuned;
  }

 private:
  SearchOptions options() const {
    SearchOptions options;
    options.budgets = tuner_.budgets().size();
    options.random_points = flags_.random_points;
    options.rounds = flags_.rounds;
    options.prompts = static_cast<int64_t>(prompts_.tuning.size());
    options.seed = seed();
    return options;
  }

  /// Prompts that one space runs at most, those of all rounds counted again.
  int64_t most_units() const {
    return (flags_.rounds + 1) * static_cast<int64_t>(prompts_.tuning.size()) +
           static_cast<int64_t>(prompts_.held_out.size());
  }
  int64_t spaces_left() const { return static_cast<int64_t>(flags_.spaces.size()) - spaces_begun_; }

  std::vector<std::vector<double>> losses(const SearchSpace& space,
                                          std::span<const Inquiry> inquiries) {
    std::vector<std::vector<double>> losses(inquiries.size());
    const int64_t first = next_unit_;
    const auto make = [&](int64_t unit) -> WriteRecord {
      const auto& [prompt, candidates] = inquiries[static_cast<size_t>(unit - first)];
      const auto& of = prompts_.tuning[static_cast<size_t>(prompt)];
      const auto made = tuner_.losses(of.name, of.sample(), space, candidates);
      return [made](Hdf5Writer& file) { write_losses(file, made); };
    };
    const auto take = [&](int64_t unit, const Hdf5Reader& file) {
      const auto i = static_cast<size_t>(unit - first);
      losses[i] = read_losses(file, static_cast<int64_t>(inquiries[i].candidates.size()));
    };
    const auto after = [&](int64_t unit, bool is_new) {
      const auto& of_prompt = losses[static_cast<size_t>(unit - first)];
      progress_.step(
          fmt::format("{}: {} candidates, least loss {:.3f}", space.name(), of_prompt.size(),
                      *std::min_element(of_prompt.begin(), of_prompt.end())),
          is_new);
      return true;
    };
    run_units(inquiries.size(), {make, take, after});
    return losses;
  }

  /// All processes take all records: what is run next depends on them.
  void run_units(size_t units, const UnitWork& work) {
    const int64_t first = std::exchange(next_unit_, next_unit_ + static_cast<int64_t>(units));
    work_.run(single_units(first, next_unit_), work, Work::Takes::everywhere);
  }

  /// Lets the finalists answer the tuning prompts, and chooses.
  void confirm(const SearchSpace& space, TunedSpace& tuned) {
    std::vector<std::vector<Method>> finalists(tuned.budgets.size());
    std::vector<BudgetedMethod> methods;
    for (size_t budget = 0; budget < tuned.budgets.size(); ++budget) {
      const auto& choices = tuned.budgets[budget].search.finalists;
      for (size_t i = 0; i < choices.size(); ++i) {
        finalists[budget].push_back(space.method(choices[i], fmt::format("finalist {}", i)));
      }
      for (const auto& method : finalists[budget]) methods.push_back({&method, budget});
    }
    const auto rows =
        compare_held_out(answers(prompts_.tuning, methods, tuned.name + ": finalists"),
                         finalists.front().front().name, seed());
    for (auto& at : tuned.budgets) {
      std::copy_if(rows.begin(), rows.end(), std::back_inserter(at.finalists),
                   [&](const HeldOutRow& row) { return row.budget == at.budget; });
      require(!at.finalists.empty(), Kind::config,
              "{}: every tuning prompt is within a budget of {}", space.name(), at.budget);
      at.chosen = at.search.finalists[best_by_score(at.finalists)];
      auto found = contenders(space, at.chosen, tuner_.facts());
      at.contenders = std::move(found.methods), at.left_out = std::move(found.left_out);
    }
  }

  std::vector<HeldOutRow> held_out(const TunedSpace& tuned) {
    std::vector<BudgetedMethod> methods;
    for (size_t budget = 0; budget < tuned.budgets.size(); ++budget) {
      for (const auto& method : tuned.budgets[budget].contenders) {
        methods.push_back({&method, budget});
      }
    }
    return compare_held_out(answers(prompts_.held_out, methods, tuned.name + ": held out"),
                            tuned.chosen, seed());
  }

  std::vector<SampleRecord> answers(const std::vector<PromptOfTask>& prompts,
                                    std::span<const BudgetedMethod> methods,
                                    const std::string& what) {
    std::vector<SampleRecord> records;
    const int64_t first = next_unit_;
    const auto make = [&](int64_t unit) -> WriteRecord {
      const auto& of = prompts[static_cast<size_t>(unit - first)];
      const auto made = tuner_.answer(of.name, of.sample(), methods);
      return [made](Hdf5Writer& file) { write_records(file, made); };
    };
    const auto take = [&](int64_t, const Hdf5Reader& file) {
      const auto found = read_records(file);
      records.insert(records.end(), found.begin(), found.end());
    };
    const auto after = [&](int64_t, bool is_new) {
      progress_.step(what, is_new);
      return true;
    };
    run_units(prompts.size(), {make, take, after});
    return records;
  }

  uint64_t seed() const { return static_cast<uint64_t>(flags_.shared.seed); }

  const TuneFlags& flags_;
  const Prompts& prompts_;
  Work& work_;
  Progress progress_;
  Tuner tuner_;
  int64_t next_unit_ = 0, spaces_begun_ = 0;
};

void add_prompts(const Prompts& prompts, const Session& session, Profile& profile) {
  for (const auto* part : {&prompts.tuning, &prompts.held_out}) {
    for (const auto& of : *part) {
      const PromptDigest digest{sha256(prompt_text(of.sample(), session.chat())), "kv-tune"};
      if (std::find(profile.prompts.begin(), profile.prompts.end(), digest) ==
          profile.prompts.end()) {
        profile.prompts.push_back(digest);
      }
    }
  }
}

int tune(const TuneFlags& flags, const CLI::App& app, Team& team) {
  require(flags.shared.output.empty(), Kind::config,
          "kv-tune adds to --profile {}; copy it first to keep the old one", flags.profile);
  require_unique_budgets(flags.budgets);
  parse_visibility(flags.visibility);
  std::vector<SearchSpace> spaces;
  for (const auto& name : flags.spaces) spaces.push_back(SearchSpace::load(name));
  Session session(flags.shared, team.launch());
  Profile profile = session.load_profile(flags.profile);
  const auto prompts = split_prompts(flags, session);
  std::string resolved =
      resolved_flags(app) + fmt::format("prompts:\n  tuning: {}\n  held_out: {}\nspaces_sha256:\n",
                                        prompts.tuning.size(), prompts.held_out.size());
  for (const auto& space : spaces) {
    resolved += fmt::format("  {}: {}\n", space.name(), space.sha256());
  }
  if (flags.shared.is_dry_run) {
    if (team.is_root()) print_result(resolved);
    return kDone;
  }
  Work work(team, flags.profile, resolved, output_mode(flags.shared), Shards::Target::updated);
  TuningRun run(flags, session, profile, prompts, team, work);
  const std::string tasks = fmt::format("{}", fmt::join(flags.tasks, ","));
  std::vector<TunedSpace> tuned;
  for (const auto& space : spaces) {
    tuned.push_back(run.run(space));
    profile.selections[space.name()] = settings_of(tuned.back(), tasks);
  }
  if (!team.is_root()) return kDone;
  add_prompts(prompts, session, profile);
  profile.begin_stage(make_provenance("kv-tune", flags.shared, resolved, session.dtype_name()));
  profile.save(flags.profile);
  work.finish();
  print_result(flags.shared.json == "-" ? tuned_as_json(tuned)
                                        : tuned_as_table(tuned, flags.profile));
  if (!flags.shared.json.empty() && flags.shared.json != "-") {
    write_text_file(flags.shared.json, tuned_as_json(tuned));
  }
  return kDone;
}

}  // namespace

int tune(const TuneFlags& flags, const CLI::App& app) {
  apply_shared_flags(flags.shared);
  return run_in_team(flags.shared, [&](Team& team) { return tune(flags, app, team); });
}

}  // namespace kvcal
