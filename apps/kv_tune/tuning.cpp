// SPDX-License-Identifier: Apache-2.0
#include "kv_tune/tuning.hpp"

#include <spdlog/spdlog.h>

#include <algorithm>
#include <cmath>

#include "kv_tune/tune_report.hpp"
#include "kvcal/compress/error.hpp"
#include "kvcal/profile/shards.hpp"
#include "shared/app.hpp"
#include "shared/output.hpp"
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

struct Prompts {
  std::vector<std::unique_ptr<Task>> tasks;
  std::vector<PromptOfTask> tuning, held_out;
};

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
  return prompts;
}

/// Heads that a space may ask for and the profile lacks are left out of the search.
bool has_facts(const Method& method, const ProfileFacts& facts) {
  try {
    require_facts(method, facts, "");
    return true;
  } catch (const Error&) {
    return false;
  }
}

/// Progress without a known end: the search decides how far it goes.
class Ticker {
 public:
  explicit Ticker(bool is_quiet) : is_quiet_(is_quiet) {}
  void step(const std::string& what) {
    ++done_;
    if (!is_quiet_) spdlog::info("prompt {}: {}", done_, what);
  }

 private:
  bool is_quiet_;
  int64_t done_ = 0;
};

class TuningRun {
 public:
  TuningRun(const TuneFlags& flags, Session& session, const Profile& profile,
            const Prompts& prompts, Shards& shards)
      : flags_(flags),
        facts_(profile.facts()),
        prompts_(prompts),
        shards_(shards),
        ticker_(flags.shared.is_quiet),
        tuner_(session.model(), session.tokenizer(), session.chat(), facts_,
               parse_budgets(flags.budgets), parse_visibility(flags.visibility),
               static_cast<uint64_t>(flags.shared.seed)) {}

  TunedSpace run(const SearchSpace& space) {
    TunedSpace tuned;
    tuned.name = space.name();
    tuned.compared_with = space.compared_with();
    tuned.tuned_on = static_cast<int64_t>(prompts_.tuning.size());
    tuned.held_out = static_cast<int64_t>(prompts_.held_out.size());
    SearchOptions options;
    options.random_points = flags_.random_points;
    options.rounds = flags_.rounds;
    options.prompts = tuned.tuned_on;
    options.seed = static_cast<uint64_t>(flags_.shared.seed);
    tuned.search = search(space, options, [&](int64_t prompt, std::span<const Choice> choices) {
      return losses(space, prompt, choices);
    });
    tuned.contenders = contenders(space, tuned.search.best);
    tuned.rows = held_out(tuned);
    return tuned;
  }

 private:
  std::vector<double> losses(const SearchSpace& space, int64_t prompt,
                             std::span<const Choice> choices) {
    const auto& of = prompts_.tuning[static_cast<size_t>(prompt)];
    std::vector<Method> methods;
    std::vector<size_t> places;
    for (size_t i = 0; i < choices.size(); ++i) {
      Method method = space.method(choices[i], fmt::format("point {}", i));
      if (!has_facts(method, facts_)) continue;
      methods.push_back(std::move(method));
      places.push_back(i);
    }
    std::vector<double> all(choices.size(), std::numeric_limits<double>::infinity());
    const auto take = [&](const Hdf5Reader& file) {
      const auto found = read_losses(file, static_cast<int64_t>(methods.size()));
      for (size_t i = 0; i < places.size(); ++i) all[places[i]] = found[i];
    };
    const auto make = [&](int64_t unit) {
      const auto made = tuner_.losses(of.name, of.sample(), methods);
      shards_.write(unit, [&](Hdf5Writer& file) { write_losses(file, made); });
    };
    const int64_t unit = next_unit_++;
    take_unit(
        shards_, unit, [&] { make(unit); }, take);
    ticker_.step(fmt::format("{}, {} points, least loss {:.3f}", space.name(), choices.size(),
                             *std::min_element(all.begin(), all.end())));
    return all;
  }

  /// The chosen point first; then the paper's method, other voters, and the chosen point with one
  /// value set back to the paper's.
  std::vector<Method> contenders(const SearchSpace& space, const Choice& best) const {
    std::vector<Method> all;
    const auto add = [&](const Choice& choice, const std::string& name) {
      Method method = space.method(choice, name);
      if (has_facts(method, facts_)) all.push_back(std::move(method));
    };
    add(best, space.name() + "_tuned");
    all.push_back(load_method(space.compared_with()));
    for (const auto& choice : space.controls(best)) {
      add(choice, "with " + describe_change(best, choice));
    }
    for (const auto& [axis, value] : space.point_of(all[1])) {
      if (best.at(axis) == value) continue;
      Choice choice = best;
      choice[axis] = value;
      try {
        add(choice, "back to " + describe_change(best, choice));
      } catch (const Error&) {  // the paper's value does not go with the others
      }
    }
    return all;
  }

  std::vector<HeldOutRow> held_out(const TunedSpace& tuned) {
    std::vector<SampleRecord> records;
    for (const auto& of : prompts_.held_out) {
      const int64_t unit = next_unit_++;
      const auto make = [&] {
        const auto made = tuner_.answer(of.name, of.sample(), tuned.contenders);
        shards_.write(unit, [&](Hdf5Writer& file) { write_records(file, made); });
      };
      take_unit(shards_, unit, make, [&](const Hdf5Reader& file) {
        const auto found = read_records(file);
        records.insert(records.end(), found.begin(), found.end());
      });
      ticker_.step(fmt::format("{}, held out", tuned.name));
    }
    return compare_held_out(records, tuned.contenders.front().name,
                            static_cast<uint64_t>(flags_.shared.seed));
  }

  const TuneFlags& flags_;
  ProfileFacts facts_;
  const Prompts& prompts_;
  Shards& shards_;
  Ticker ticker_;
  Tuner tuner_;
  int64_t next_unit_ = 0;
};

/// Mean over budgets of one method's rows.
double mean_of(const TunedSpace& tuned, const std::string& method, double HeldOutRow::*value) {
  double sum = 0;
  int64_t count = 0;
  for (const auto& row : tuned.rows) {
    if (row.method == method) sum += row.*value, ++count;
  }
  return count == 0 ? 0 : sum / static_cast<double>(count);
}

Selection selection_of(const TuneFlags& flags, const TunedSpace& tuned) {
  const auto& chosen = tuned.contenders.front();
  Selection selection;
  selection.method = chosen.resolved();
  selection.tasks = fmt::format("{}", fmt::join(flags.tasks, ","));
  selection.budgets = flags.budgets;
  selection.compared_with = tuned.compared_with;
  selection.tuned_on = tuned.tuned_on;
  selection.held_out = tuned.held_out;
  selection.loss = mean_of(tuned, chosen.name, &HeldOutRow::loss);
  selection.default_loss = mean_of(tuned, tuned.compared_with, &HeldOutRow::loss);
  selection.score = mean_of(tuned, chosen.name, &HeldOutRow::score);
  selection.default_score = mean_of(tuned, tuned.compared_with, &HeldOutRow::score);
  selection.full_score = mean_of(tuned, "full", &HeldOutRow::score);
  return selection;
}

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

}  // namespace

int tune(const TuneFlags& flags, const CLI::App& app) {
  apply_shared_flags(flags.shared);
  require(flags.shared.output.empty(), Kind::config,
          "kv-tune adds to --profile {}; copy it first to keep the old one", flags.profile);
  parse_budgets(flags.budgets);
  parse_visibility(flags.visibility);
  std::vector<SearchSpace> spaces;
  for (const auto& name : flags.spaces) spaces.push_back(SearchSpace::load(name));
  Session session(flags.shared);
  Profile profile = session.load_profile(flags.profile);
  const auto prompts = split_prompts(flags, session);
  const std::string resolved =
      resolved_flags(app) + fmt::format("prompts:\n  tuning: {}\n  held_out: {}\n",
                                        prompts.tuning.size(), prompts.held_out.size());
  if (flags.shared.is_dry_run) {
    print_result(resolved);
    return kDone;
  }
  auto shards =
      Shards::open(flags.profile, resolved, output_mode(flags.shared), Shards::Target::updated);
  TuningRun run(flags, session, profile, prompts, shards);
  std::vector<TunedSpace> tuned;
  for (const auto& space : spaces) {
    tuned.push_back(run.run(space));
    profile.selections[space.name()] = selection_of(flags, tuned.back());
  }
  add_prompts(prompts, session, profile);
  profile.begin_stage(make_provenance("kv-tune", flags.shared, resolved, session.dtype_name()));
  profile.save(flags.profile);
  shards.finish();
  print_result(flags.shared.json == "-" ? tuned_as_json(tuned)
                                        : tuned_as_table(tuned, flags.profile));
  if (!flags.shared.json.empty() && flags.shared.json != "-") {
    write_text_file(flags.shared.json, tuned_as_json(tuned));
  }
  return kDone;
}

}  // namespace kvcal
