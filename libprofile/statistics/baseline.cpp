// SPDX-License-Identifier: Apache-2.0
#include "kvcal/profile/baseline.hpp"

#include <algorithm>
#include <cmath>
#include <map>

#include "kvcal/compress/error.hpp"
#include "kvcal/profile/comparison.hpp"

namespace kvcal {
namespace {

using Key = std::vector<std::string>;
using Groups = std::map<Key, const RecordGroup*>;

Key key_of(const SampleRecord& r) {
  return {r.task, r.metric, r.method, r.visibility, r.mask, r.budget};
}

Groups by_key(const std::vector<RecordGroup>& groups) {
  Groups found;
  for (const auto& group : groups) found.emplace(key_of(*group.front()), &group);
  return found;
}

struct AbsoluteMean {
  double sum = 0;
  int64_t n = 0;

  void add(const Pairs& pairs) {
    for (size_t i = 0; i < pairs.a.size(); ++i, ++n) sum += std::abs(pairs.a[i] - pairs.b[i]);
  }
  double value() const { return n > 0 ? sum / static_cast<double>(n) : Comparison::kNone; }
};

FullCacheDrift measure_drift(const std::vector<RecordGroup>& now, const Groups& before) {
  AbsoluteMean score, answer_nll;
  for (const auto& group : now) {
    if (!is_full_cache(*group.front())) continue;
    const auto found = before.find(key_of(*group.front()));
    if (found == before.end()) continue;
    score.add(pair_by_sample(group, *found->second));
    answer_nll.add(pair_by_sample(group, *found->second, &SampleRecord::answer_nll));
  }
  return {score.n, score.value(), answer_nll.value()};
}

/// At most so many pairs can there be in the end.
int64_t full_cache_records(const Results& results) {
  return std::count_if(results.records.begin(), results.records.end(),
                       [](const auto& record) { return is_full_cache(record); });
}

BaselineRow row_of(const SampleRecord& first, const Comparison& found) {
  BaselineRow row;
  row.task = first.task, row.metric = first.metric, row.method = first.method;
  row.visibility = first.visibility, row.mask = first.mask, row.budget = first.budget;
  row.n = found.n;
  row.now = found.mean_a, row.before = found.mean_b, row.delta = found.delta;
  row.ci_low = found.delta_interval.low, row.ci_high = found.delta_interval.high;
  return row;
}

std::string verdict_of(const BaselineRow& row) {
  if (!(row.p_holm <= kSignificance)) return "same";
  if (row.ci_high < 0) return "regressed";
  return row.ci_low > 0 ? "improved" : "same";
}

}  // namespace

bool BaselineReport::has_regressed() const {
  return std::any_of(rows.begin(), rows.end(),
                     [](const auto& row) { return row.verdict == "regressed"; });
}

void require_comparable(const Results& baseline, const ModelIdentity& model,
                        const std::vector<PromptId>& prompts, const std::filesystem::path& file) {
  require_same_model(baseline.model, model, file);
  std::map<std::pair<std::string, std::string>, std::string> before;
  for (const auto& r : baseline.records) before[{r.task, r.sample}] = r.prompt_sha256;
  int64_t shared = 0;
  for (const auto& prompt : prompts) {
    const auto found = before.find({prompt.task, prompt.sample});
    if (found == before.end()) continue;
    ++shared;
    // Files of earlier builds have no hashes.
    require(found->second.empty() || found->second == prompt.sha256, Kind::input,
            "{}: the prompt of task {}, sample {}, was another one (sha256 {}, now {}): same data, "
            "--task-param, --seed and chat format are needed",
            file.string(), prompt.task, prompt.sample, found->second.substr(0, 12),
            prompt.sha256.substr(0, 12));
  }
  require(shared > 0, Kind::input, "{}: has no prompt in common with this run", file.string());
}

void require_same_dtype(const Results& baseline, std::string_view dtype,
                        const std::filesystem::path& file) {
  require(baseline.provenance.dtype == dtype, Kind::input,
          "{}: was made with dtype {}, this run has {}", file.string(), baseline.provenance.dtype,
          dtype);
}

bool is_drift_certain(const Results& so_far, const Results& before) {
  const auto groups_before = group_by_variant(before.records);
  FullCacheDrift drift = measure_drift(group_by_variant(so_far.records), by_key(groups_before));
  const double share =
      static_cast<double>(drift.n) / static_cast<double>(full_cache_records(before));
  drift.score *= share, drift.answer_nll *= share;
  return drift.is_too_far();
}

BaselineReport compare_with_baseline(const Results& now, const Results& before, uint64_t seed) {
  const auto groups_now = group_by_variant(now.records);
  const auto groups_before = group_by_variant(before.records);
  const Groups known = by_key(groups_before);
  BaselineReport report;
  report.drift = measure_drift(groups_now, known);
  std::vector<double> p_values;
  for (const auto& group : groups_now) {
    const auto found = known.find(key_of(*group.front()));
    if (found == known.end()) {
      ++report.absent_before;
      continue;
    }
    const Comparison change = compare(pair_by_sample(group, *found->second), {.seed = seed});
    report.rows.push_back(row_of(*group.front(), change));
    p_values.push_back(change.p_value);
  }
  report.absent_now = static_cast<int64_t>(known.size() - report.rows.size());
  const auto adjusted = holm(p_values);
  for (size_t i = 0; i < report.rows.size(); ++i) {
    report.rows[i].p_holm = adjusted[i];
    report.rows[i].verdict = verdict_of(report.rows[i]);
  }
  return report;
}

}  // namespace kvcal
