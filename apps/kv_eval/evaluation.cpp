// SPDX-License-Identifier: Apache-2.0
#include "kv_eval/evaluation.hpp"

#include <spdlog/spdlog.h>
#include <unistd.h>

#include <algorithm>
#include <filesystem>
#include <map>

#include "kv_eval/latency.hpp"
#include "kv_eval/plan.hpp"
#include "kv_eval/report.hpp"
#include "kv_eval/verdict.hpp"
#include "kvcal/profile/accuracy_plot.hpp"
#include "kvcal/profile/keep_dump.hpp"
#include "kvcal/profile/longbench.hpp"
#include "kvcal/profile/results.hpp"
#include "kvcal/profile/summary.hpp"
#include "kvcal/profile/work.hpp"
#include "shared/app.hpp"
#include "shared/output.hpp"
#include "shared/progress.hpp"
#include "shared/run_in_team.hpp"
#include "shared/yaml_flags.hpp"

namespace kvcal {
namespace {

std::string running_scores(const std::vector<SampleRecord>& records, size_t variants) {
  std::string text;
  for (size_t v = 0; v < std::min<size_t>(variants, 6); ++v) {
    double sum = 0;
    size_t count = 0;
    for (size_t i = v; i < records.size(); i += variants, ++count) sum += records[i].score;
    text += fmt::format("{}{} {:.2f}", v > 0 ? ", " : "", variant_name(records[v]),
                        sum / static_cast<double>(count));
  }
  return text;
}

constexpr const char* kKeepRoot = "/keep";  // in a shard

/// Runs a sample. @return  writes its records and, if they are asked for, what each variant kept
WriteRecord run_sample(const EvalFlags& flags, Engine& engine, const EvalPlan& plan,
                       const PlannedTask& task, const Sample& sample) {
  std::vector<std::pair<KeepKey, std::vector<KeepSet>>> kept;
  KeepSink sink;
  if (!flags.dump_keep.empty()) {
    sink = [&](const Sample& of, const Variant& variant, const Compression& compression) {
      if (compression.kept.empty()) return;
      kept.push_back({{task.name, of.id, variant.method->name, variant.budget->text(),
                       std::string(to_string(variant.visibility))},
                      compression.kept});
    };
  }
  auto records = engine.run(task.name, sample, plan.variants, sink);
  return [records = std::move(records), kept = std::move(kept)](Hdf5Writer& file) {
    write_records(file, records);
    for (const auto& [key, layers] : kept) write_keep_sets(file, kKeepRoot, key, layers);
  };
}

/// Whatever else is run would be refused in the end.
bool is_stopped(const EvalPlan& plan, const Results& results) {
  return plan.baseline && is_drift_certain(results, *plan.baseline);
}

/// @return  all records, or the first ones where it stopped
Results run(const EvalFlags& flags, const EvalPlan& plan, const std::string& resolved,
            Session& session, Team& team, Work& work) {
  Results results;
  results.model = session.identity();
  results.provenance = make_provenance("kv-eval", flags.shared, resolved, session.dtype_name());
  results.shard = plan.shard;
  if (plan.baseline) {
    require_same_dtype(*plan.baseline, results.provenance.dtype, flags.baseline);
  }
  EngineOptions options;
  options.seed = static_cast<uint64_t>(flags.shared.seed);
  options.measures_fidelity = !flags.skips_fidelity;
  options.variant_bytes =
      variant_memory(flags, predict_memory(plan, session.config(), session.element_bytes()),
                     team.launch().local_size);
  Engine engine(session.model(), session.tokenizer(), session.chat(), plan.facts, options);
  std::optional<KeepDump> dump;
  if (!flags.dump_keep.empty() && team.is_root()) dump.emplace(flags.dump_keep);
  const auto [begin, end] = plan.units();
  Progress progress("kv-eval", end - begin, flags.shared.is_quiet);
  std::vector<SampleRecord> records;
  const auto make = [&](int64_t unit) {
    const auto& [task, index] = plan.sample_of(unit);
    const Sample sample = task->task->sample(index);
    spdlog::debug("prompt {} of {}", sample.id, task->name);
    return run_sample(flags, engine, plan, *task, sample);
  };
  const auto take = [&](int64_t, const Hdf5Reader& file) {
    records = read_records(file);
    if (dump) dump->add_from(file, kKeepRoot);
  };
  const auto after = [&](int64_t, bool is_new) {
    results.records.insert(results.records.end(), records.begin(), records.end());
    progress.step(running_scores(results.records, plan.variants.size()), is_new);
    return !is_stopped(plan, results);
  };
  work.run(plan.groups(), {make, take, after});
  if (dump && !is_stopped(plan, results)) dump->finish();
  return results;
}

/// What results do not hold of a sample, its classes, is asked of the tasks once more.
void write_predictions(const EvalFlags& flags, const EvalPlan& plan, const Results& results) {
  std::map<std::pair<std::string, std::string>, std::vector<std::string>> classes;
  for (const auto& task : plan.tasks) {
    for (int64_t i = 0; i < task.samples; ++i) {
      const Sample sample = task.task->sample(i);
      if (!sample.all_classes.empty()) classes[{task.name, sample.id}] = sample.all_classes;
    }
  }
  write_longbench_predictions(flags.predictions, results, [&](const SampleRecord& record) {
    return classes[{record.task, record.sample}];
  });
}

/// Told before the run, not after it.
void require_writable(const std::filesystem::path& folder) {
  auto existing = std::filesystem::absolute(folder);
  while (!std::filesystem::exists(existing)) existing = existing.parent_path();
  const bool is_writable =
      std::filesystem::is_directory(existing) && access(existing.c_str(), W_OK) == 0;
  require(is_writable, Kind::input, "--predictions {}: {} is no folder that can be written to",
          folder.string(), existing.string());
}

/// eval.py takes every file that lies there for a dataset of this run.
void check_predictions(const EvalFlags& flags) {
  const bool has_longbench =
      std::any_of(flags.tasks.begin(), flags.tasks.end(),
                  [](const auto& task) { return longbench_facts(task).has_value(); });
  require(has_longbench, Kind::config, "--predictions {}: none of the tasks is of LongBench",
          flags.predictions);
  require_writable(flags.predictions);
  const bool is_taken =
      std::filesystem::exists(flags.predictions) && !std::filesystem::is_empty(flags.predictions);
  require(!is_taken || flags.shared.is_force || flags.shared.is_resume, Kind::input,
          "--predictions {}: not empty, need a new folder, or --force to write into it",
          flags.predictions);
}

void check_flags(const EvalFlags& flags) {
  require(!flags.shared.model.empty(), Kind::config, "--model is required");
  require(!flags.tasks.empty() && !flags.methods.empty(), Kind::config,
          "--tasks and --methods name nothing");
  if (!flags.plot.empty()) require_plot_format(flags.plot);
}

/// What rank 0 alone will write.
void check_outputs(const EvalFlags& flags) {
  if (!flags.predictions.empty()) check_predictions(flags);
  if (!flags.shared.output.empty()) check_output(flags.shared.output, output_mode(flags.shared));
}

/// Other devices are asked of kv-inspect model --device.
std::string describe_run(const EvalFlags& flags, const EvalPlan& plan, const Session& session) {
  const ModelConfig& config = session.config();
  const int64_t element_bytes = session.element_bytes();
  std::optional<Durations> time;
  if (flags.shared.device == "cpu") {
    time = predict_durations(plan, config, element_bytes, measure_cpu(config, element_bytes),
                             !flags.skips_fidelity);
  }
  return describe_plan(plan, config, element_bytes, time);
}

int evaluate(const EvalFlags& flags, const CLI::App& app, Team& team) {
  check_flags(flags);
  if (team.is_root()) check_outputs(flags);
  const auto plan = plan_methods(flags);
  Session session(flags.shared, team.launch());
  plan_samples(flags, session, *plan);
  const std::string resolved = plan->resolved(resolved_flags(app));
  if (flags.shared.is_dry_run) {
    if (team.is_root()) {
      print_result(resolved + describe_run(flags, *plan, session));
    }
    return kDone;
  }
  // Without --output the shards lie under a scratch name and go at the end.
  const std::string output = flags.shared.output.empty() ? scratch_output() : flags.shared.output;
  Work work(team, output, resolved, output_mode(flags.shared));
  auto results =
      work.is_finished() ? Results::load(output) : run(flags, *plan, resolved, session, team, work);
  if (!team.is_root()) return kDone;
  if (is_stopped(*plan, results)) {
    if (flags.shared.output.empty()) work.finish();
    return conclude(flags, *plan, std::move(results));
  }
  if (flags.measures_latency) results.latency = measure_latencies(flags, *plan, session);
  const bool is_new = !work.is_finished() || flags.measures_latency;
  if (!flags.shared.output.empty() && is_new) results.save(output);
  work.finish();
  if (!flags.predictions.empty()) write_predictions(flags, *plan, results);
  return conclude(flags, *plan, std::move(results));
}

}  // namespace

int evaluate(const EvalFlags& flags, const CLI::App& app) {
  apply_shared_flags(flags.shared);
  if (flags.is_list_methods || flags.is_list_tasks) {
    print_result(flags.is_list_methods ? list_methods()
                                       : list_tasks(parse_task_params(flags.task_params)));
    return kDone;
  }
  return run_in_team(flags.shared, [&](Team& team) { return evaluate(flags, app, team); });
}

}  // namespace kvcal
