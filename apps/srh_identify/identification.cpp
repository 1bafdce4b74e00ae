// SPDX-License-Identifier: Apache-2.0
#include "srh_identify/identification.hpp"

#include <spdlog/spdlog.h>

#include <algorithm>

#include "kvcal/compress/parallel.hpp"
#include "kvcal/profile/identify.hpp"
#include "kvcal/profile/memory.hpp"
#include "kvcal/profile/resources.hpp"
#include "kvcal/profile/work.hpp"
#include "shared/app.hpp"
#include "shared/machine.hpp"
#include "shared/output.hpp"
#include "shared/progress.hpp"
#include "shared/run_in_team.hpp"
#include "shared/session.hpp"
#include "shared/yaml_flags.hpp"
#include "srh_identify/head_report.hpp"

namespace kvcal {
namespace {

/// Below this share of trials that pass the answer gate, the ranking says more about the gate.
constexpr double kFewPassed = 0.5;

struct Calibration {
  std::vector<Needle> needles;
  std::vector<HaystackTokens> haystacks;
  std::vector<Trial> trials;
};

Calibration plan(const IdentifyFlags& flags, const IdentifyProtocol& protocol,
                 const Session& session) {
  Calibration calibration;
  calibration.needles =
      load_needles(flags.needles.empty() ? resource("data/needles/calibration.jsonl")
                                         : std::filesystem::path(flags.needles));
  const auto folder = flags.haystack.empty() ? resource("data/haystacks/calibration")
                                             : std::filesystem::path(flags.haystack);
  for (auto& haystack : load_haystacks(folder)) {
    calibration.haystacks.emplace_back(session.tokenizer(), std::move(haystack));
  }
  const double longest = *std::max_element(flags.lengths.begin(), flags.lengths.end());
  require(longest <= static_cast<double>(session.config().max_tokens), Kind::config,
          "--lengths {}: the model takes {} tokens", longest, session.config().max_tokens);
  calibration.trials = plan_trials(
      protocol, flags.lengths, flags.depths, calibration.needles.size(), calibration.haystacks,
      flags.needles_per_cell, static_cast<uint64_t>(flags.shared.seed));
  if (flags.shared.limit > 0 &&
      flags.shared.limit < static_cast<int64_t>(calibration.trials.size())) {
    calibration.trials.resize(static_cast<size_t>(flags.shared.limit));
  }
  return calibration;
}

std::string best_heads(const HeadRun& run, const std::string& kind) {
  if (run.passed == 0) return "no prompt has passed yet";
  std::string text = "top";
  const auto& scores = run.scores.at(kind);
  const auto mean = scores.mean();
  for (const auto& head : top_heads(scores, 3, {}, 0)) {
    text += fmt::format(" {}.{}={:.2f}", head.layer, head.head, head.mean);
  }
  return text;
}

void warn_if_few_passed(const HeadRun& run) {
  const auto passed = static_cast<double>(run.passed);
  if (passed >= kFewPassed * static_cast<double>(run.trials)) return;
  spdlog::warn(
      "only {} of {} prompts were answered well enough to count: the ranking is unsure. Try "
      "shorter "
      "--lengths, or other --needles",
      run.passed, run.trials);
}

/// Looked at every few prompts, and never before there are some: the correlation of small halves is
/// noise.
bool is_stable(const IdentifyFlags& flags, const HeadRun& run) {
  constexpr int64_t kFirstLook = 16, kStep = 4;
  if (flags.until_stable <= 0 || run.passed < kFirstLook || run.passed % kStep != 0) return false;
  return half_agreement(run.scores.at(flags.kinds.front())).spearman >= flags.until_stable;
}

/// Halves share no needle.
void add_groups(const Trial& trial, const Calibration& calibration, HeadRun& run) {
  run.groups["length"].push_back(fmt::format("{} tokens", trial.length_tokens));
  run.groups["depth"].push_back(fmt::format("{:.0f} %", 100 * trial.depth));
  run.groups["haystack"].push_back(calibration.haystacks[trial.haystack].name());
  run.groups["needles"].push_back(trial.needle % 2 == 0 ? "even" : "odd");
}

/// Adds a trial's result; in the trials' order, so that sums do not depend on who ran what.
void add(const TrialResult& result, const Trial& trial, const Calibration& calibration,
         const ModelConfig& config, HeadRun& run) {
  ++run.trials;
  run.without_span += result.has_span ? 0 : 1;
  run.prompts.push_back({result.prompt_sha256, "srh-identify"});
  spdlog::debug("{} tokens, depth {}, {}: recall {:.2f}: {}", result.prompt_tokens, trial.depth,
                calibration.needles[trial.needle].id, result.recall, result.reply);
  if (!result.has_passed) return;
  ++run.passed;
  accumulate(result, config.layers, config.heads, run.scores);
  run.needle_of_prompt.push_back(static_cast<int64_t>(trial.needle));
  add_groups(trial, calibration, run);
}

/// A prompt on each thread where their caches fit into half of what is free: a short one leaves
/// threads waiting. Else all threads work on one prompt.
int64_t trials_at_once(const IdentifyProtocol& protocol, const Calibration& calibration,
                       const Model& model) {
  const int64_t threads = model.cache_options().device().is_cpu() ? parallel_threads() : 1;
  PromptShape longest;
  for (const auto& trial : calibration.trials) {
    longest.tokens = std::max(longest.tokens, trial.length_tokens);
  }
  longest.tail_tokens = protocol.max_new_tokens;
  longest.element_bytes = model.element_bytes();
  longest.chunk_tokens = model.prefill_chunk_tokens();
  const auto plan = predict_memory(model.config(), longest, {});
  const int64_t of_one = plan.prompt + plan.statistics + plan.activations;
  return threads * of_one <= available_memory() / 2 ? threads : 1;
}

HeadRun run_trials(const IdentifyFlags& flags, const IdentifyProtocol& protocol,
                   const Calibration& calibration, Session& session, Work& work) {
  const auto& config = session.config();
  const HeadIdentifier identifier(session.model(), session.tokenizer(), session.chat(), protocol);
  const auto trials = static_cast<int64_t>(calibration.trials.size());
  Progress progress("srh-identify", trials, flags.shared.is_quiet);
  HeadRun run;
  TrialResult result;
  const auto trial_of = [&](int64_t unit) -> const Trial& {
    return calibration.trials[static_cast<size_t>(unit)];
  };
  const auto make = [&](int64_t unit) -> WriteRecord {
    const auto& trial = trial_of(unit);
    const auto prompt = identifier.prompt(trial, calibration.needles, calibration.haystacks);
    const auto made = identifier.run(prompt, calibration.needles[trial.needle]);
    return
        [made, &config](Hdf5Writer& file) { write_trial(file, made, config.layers, config.heads); };
  };
  const auto take = [&](int64_t, const Hdf5Reader& file) {
    result = read_trial(file, config.layers, config.heads);
  };
  const auto after = [&](int64_t unit, bool is_new) {
    add(result, trial_of(unit), calibration, config, run);
    progress.step(fmt::format("{}  {}/{} answered", best_heads(run, flags.kinds.front()),
                              run.passed, run.trials),
                  is_new);
    return !is_stable(flags, run);
  };
  const int64_t at_once = trials_at_once(protocol, calibration, session.model());
  work.run(unit_groups(0, trials, at_once), {make, take, after, at_once});
  return run;
}

Profile make_profile(const IdentifyFlags& flags, const HeadRun& run, Session& session,
                     const std::string& resolved) {
  Profile profile;
  profile.model = session.identity();
  profile.provenance =
      make_provenance("srh-identify", flags.shared, resolved, session.dtype_name());
  for (const auto& kind : flags.kinds) profile.heads[kind] = run.scores.at(kind);
  profile.prompts = run.prompts;
  return profile;
}

int identify_heads(const IdentifyFlags& flags, const CLI::App& app, Team& team) {
  const auto protocol = IdentifyProtocol::named(flags.protocol);
  if (team.is_root()) check_output(flags.shared.output, output_mode(flags.shared));
  Session session(flags.shared, team.launch());
  const auto calibration = plan(flags, protocol, session);
  const std::string resolved = resolved_flags(app);
  if (flags.shared.is_dry_run) {
    if (team.is_root()) {
      print_result(fmt::format("{}trials: {}\n", resolved, calibration.trials.size()));
    }
    return kDone;
  }
  Work work(team, flags.shared.output, resolved, output_mode(flags.shared));
  if (work.is_finished()) {
    print_result(fmt::format("{} is finished: kv-inspect profile shows it\n", flags.shared.output));
    return kDone;
  }
  const auto run = run_trials(flags, protocol, calibration, session, work);
  if (!team.is_root()) return kDone;
  require(run.passed > 0, Kind::input,
          "none of {} prompts was answered well enough to count (ROUGE-1 recall > {}): no ranking "
          "can be "
          "made; try shorter --lengths",
          run.trials, protocol.gate_recall);
  const auto profile = make_profile(flags, run, session, resolved);
  profile.save(flags.shared.output);
  work.finish();
  warn_if_few_passed(run);
  print_result(flags.shared.json == "-" ? heads_as_json(flags, run) : heads_as_table(flags, run));
  if (!flags.shared.json.empty() && flags.shared.json != "-") {
    write_text_file(flags.shared.json, heads_as_json(flags, run));
  }
  return kDone;
}

}  // namespace

int identify_heads(const IdentifyFlags& flags, const CLI::App& app) {
  apply_shared_flags(flags.shared);
  return run_in_team(flags.shared, [&](Team& team) { return identify_heads(flags, app, team); });
}

}  // namespace kvcal
