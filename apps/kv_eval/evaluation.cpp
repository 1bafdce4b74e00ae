// SPDX-License-Identifier: Apache-2.0
#include "kv_eval/evaluation.hpp"

#include <spdlog/spdlog.h>

#include "kv_eval/plan.hpp"
#include "kv_eval/report.hpp"
#include "kvcal/profile/accuracy_plot.hpp"
#include "kvcal/profile/results.hpp"
#include "kvcal/profile/shards.hpp"
#include "shared/app.hpp"
#include "shared/output.hpp"
#include "shared/progress.hpp"
#include "shared/yaml_flags.hpp"

namespace kvcal {
namespace {

std::string running_scores(const std::vector<SampleRecord>& records, size_t variants) {
  std::string text;
  for (size_t v = 0; v < std::min<size_t>(variants, 6); ++v) {
    double sum = 0;
    size_t count = 0;
    for (size_t i = v; i < records.size(); i += variants, ++count) sum += records[i].score;
    const auto& record = records[v];
    text += fmt::format("{}{} {:.2f}", v > 0 ? ", " : "",
                        record.method == "full" ? "full" : record.method + "@" + record.budget,
                        sum / static_cast<double>(count));
  }
  return text;
}

/// The kept indices of a sample are dumped as it runs, so they exist for new samples only.
KeepSink make_keep_sink(std::optional<KeepDump>& dump, const std::string& task) {
  if (!dump) return {};
  return [&dump, task](const Sample& sample, const Variant& variant, const Compression& compression) {
    if (variant.budget == nullptr || compression.is_uncompressed) return;
    dump->add(task, sample.id, fmt::format("{}@{}", variant.method->name, variant.budget->text()),
              compression.kept);
  };
}

Results run(const EvalFlags& flags, const EvalPlan& plan, const std::string& resolved, Session& session,
            Shards& shards) {
  Results results;
  results.model = session.identity();
  results.provenance = make_provenance("kv-eval", flags.shared, resolved, session.dtype_name());
  const Engine engine(session.model(), session.tokenizer(), session.chat(), plan.facts,
                      static_cast<uint64_t>(flags.shared.seed));
  std::optional<KeepDump> dump;
  if (!flags.dump_keep.empty()) dump.emplace(flags.dump_keep);
  Progress progress("kv-eval", plan.samples, flags.shared.is_quiet);
  int64_t unit = 0;
  for (const auto& task : plan.tasks) {
    const auto keep_sink = make_keep_sink(dump, task.name);
    for (int64_t i = 0; i < task.samples; ++i, ++unit) {
      std::vector<SampleRecord> records;
      const auto make = [&] {
        const auto made = engine.run(task.name, task.task->sample(i), plan.variants, keep_sink);
        shards.write(unit, [&](Hdf5Writer& file) { write_records(file, made); });
      };
      const bool is_new =
          take_unit(shards, unit, make, [&](const Hdf5Reader& file) { records = read_records(file); });
      results.records.insert(results.records.end(), records.begin(), records.end());
      progress.step(running_scores(results.records, plan.variants.size()), is_new);
    }
  }
  if (dump) dump->finish();
  return results;
}

void check_flags(const EvalFlags& flags) {
  require(!flags.shared.model.empty(), Kind::config, "--model is required");
  require(!flags.tasks.empty() && !flags.methods.empty(), Kind::config, "--tasks and --methods name nothing");
  require(flags.dump_keep.empty() || !flags.shared.is_resume, Kind::config,
          "--dump-keep cannot be resumed: the kept indices of finished samples are gone. Use --force");
  if (!flags.plot.empty()) require_plot_format(flags.plot);
}

}  // namespace

int evaluate(const EvalFlags& flags, const CLI::App& app) {
  apply_shared_flags(flags.shared);
  if (flags.is_list_methods || flags.is_list_tasks) {
    print_result(flags.is_list_methods ? list_methods() : list_tasks());
    return kDone;
  }
  check_flags(flags);
  Session session(flags.shared);
  const auto plan = plan_evaluation(flags, session);
  const std::string resolved = plan->resolved(resolved_flags(app));
  if (flags.shared.is_dry_run) {
    print_result(resolved + describe_plan(*plan, session.config()));
    return kDone;
  }
  // Without --output the shards lie under a scratch name and go at the end.
  const std::string output = flags.shared.output.empty() ? scratch_output() : flags.shared.output;
  auto shards = Shards::open(output, resolved, output_mode(flags.shared));
  const auto results =
      shards.is_finished() ? Results::load(output) : run(flags, *plan, resolved, session, shards);
  if (!flags.shared.output.empty() && !shards.is_finished()) results.save(output);
  shards.finish();

  const auto cells = summarise(results, static_cast<uint64_t>(flags.shared.seed));
  print_result(flags.shared.json == "-" ? to_json(results, cells) : as_table(results, cells));
  if (!flags.shared.json.empty() && flags.shared.json != "-") {
    write_text_file(flags.shared.json, to_json(results, cells));
  }
  if (!flags.plot.empty()) plot_accuracy(cells, flags.plot);
  return kDone;
}

}  // namespace kvcal
