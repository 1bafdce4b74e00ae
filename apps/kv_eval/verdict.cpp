// SPDX-License-Identifier: Apache-2.0
#include "kv_eval/verdict.hpp"

#include <spdlog/spdlog.h>

#include <algorithm>

#include "kv_eval/report.hpp"
#include "kv_eval/verdict_report.hpp"
#include "kvcal/profile/accuracy_plot.hpp"
#include "kvcal/profile/summary.hpp"
#include "shared/app.hpp"
#include "shared/output.hpp"

namespace kvcal {
namespace {

/// Compressed numbers beside a full cache that is not the one they are judged by mean nothing.
void refuse_compressed(const BaselineReport& baseline, Results& results) {
  const auto& drift = baseline.drift;
  spdlog::error(
      "the full cache drifted from {}: {} (at most {} and {} are allowed); compressed numbers are "
      "refused",
      baseline.file, drift_text(drift), kFullScoreTolerance, kFullNllTolerance);
  std::erase_if(results.records, [](const auto& record) { return !is_full_cache(record); });
}

BaselineReport judge_baseline(const EvalFlags& flags, const EvalPlan& plan,
                              const Results& results) {
  require_same_dtype(*plan.baseline, results.provenance.dtype, flags.baseline);
  auto report =
      compare_with_baseline(results, *plan.baseline, static_cast<uint64_t>(flags.shared.seed));
  report.file = flags.baseline;
  return report;
}

/// One line for each reason, for whoever reads only the end of a log.
bool is_passed(const Summary& summary) {
  const auto failed = std::count_if(summary.gates.begin(), summary.gates.end(),
                                    [](const auto& verdict) { return !verdict.is_passed(); });
  if (failed > 0) spdlog::error("{} of {} gates did not pass", failed, summary.gates.size());
  const bool has_regressed = summary.baseline && summary.baseline->has_regressed();
  if (has_regressed) spdlog::error("scores fell significantly below {}", summary.baseline->file);
  return failed == 0 && !has_regressed;
}

void show(const EvalFlags& flags, const Results& results, const Summary& summary) {
  const auto& json = flags.shared.json;
  print_result(json == "-" ? to_json(results, summary) : as_table(results, summary));
  if (!json.empty() && json != "-") write_text_file(json, to_json(results, summary));
  if (!flags.plot.empty()) plot_accuracy(summary.cells, flags.plot);
}

}  // namespace

int conclude(const EvalFlags& flags, const EvalPlan& plan, Results results) {
  const auto seed = static_cast<uint64_t>(flags.shared.seed);
  std::optional<BaselineReport> baseline;
  if (plan.baseline) baseline = judge_baseline(flags, plan, results);
  const bool is_refused = baseline && baseline->drift.is_too_far();
  if (is_refused) {
    refuse_compressed(*baseline, results);
    std::erase_if(baseline->rows, [](const auto& row) { return !is_full_cache(row); });
  }
  Summary summary = summarise_all(results, seed);
  summary.baseline = std::move(baseline);
  for (const auto& gate : plan.gates) {
    if (is_refused) break;
    const auto verdicts = decide(gate, results, seed);
    summary.gates.insert(summary.gates.end(), verdicts.begin(), verdicts.end());
  }
  show(flags, results, summary);
  return is_passed(summary) && !is_refused ? kDone : kGateFailed;
}

}  // namespace kvcal
