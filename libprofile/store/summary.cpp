// SPDX-License-Identifier: Apache-2.0
// Cells: means over samples with their intervals, and their JSON.
#include <cmath>
#include <limits>
#include <map>
#include <nlohmann/json.hpp>
#include <tuple>

#include "kvcal/compress/error.hpp"
#include "kvcal/profile/longbench.hpp"
#include "kvcal/profile/results.hpp"
#include "kvcal/profile/statistics.hpp"

namespace kvcal {
namespace {

using Json = nlohmann::ordered_json;
using Group = std::vector<const SampleRecord*>;
using Baselines = std::map<std::tuple<std::string, std::string, std::string, std::string>, double>;

constexpr double kNaN = std::numeric_limits<double>::quiet_NaN();

bool is_baseline(const SampleRecord& record) {
  return record.method == "full" && (record.mask.empty() || record.mask == "none");
}

auto baseline_key(const SampleRecord& r) {
  return std::tuple(r.task, r.metric, r.visibility, r.sample);
}

/// Samples that no compression touched are left out, except for the full cache, which never
/// compresses.
bool counts(const SampleRecord& record) {
  return record.method == "full" || !record.uncompressed;
}

std::vector<Group> group_records(const std::vector<SampleRecord>& records) {
  std::map<std::vector<std::string>, size_t> places;
  std::vector<Group> groups;
  for (const auto& r : records) {
    const auto [found, is_new] = places.try_emplace(
        {r.task, r.metric, r.method, r.visibility, r.mask, r.budget}, groups.size());
    if (is_new) groups.emplace_back();
    groups[found->second].push_back(&r);
  }
  return groups;
}

template <class Value>
double mean_of(const Group& group, Value&& value) {
  double sum = 0;
  for (const auto* record : group) sum += static_cast<double>(value(*record));
  return group.empty() ? kNaN : sum / static_cast<double>(group.size());
}

double mean_of(const std::vector<double>& values) {
  double sum = 0;
  for (double value : values) sum += value;
  return values.empty() ? kNaN : sum / static_cast<double>(values.size());
}

/// Index of the document; a sample without one is a cluster of its own.
std::vector<int64_t> clusters_of(const Group& group) {
  std::map<std::string, int64_t> documents;
  std::vector<int64_t> clusters;
  int64_t next = 0;
  for (const auto* record : group) {
    if (record->document.empty()) {
      clusters.push_back(next++);
      continue;
    }
    const auto [found, is_new] = documents.try_emplace(record->document, next);
    if (is_new) ++next;
    clusters.push_back(found->second);
  }
  return clusters;
}

std::optional<double> if_number(double value) {
  return std::isnan(value) ? std::nullopt : std::optional(value);
}

/// Paired with the full cache on the same samples.
void compare_with_full(Cell& cell, const Group& group, const Baselines& baselines, uint64_t seed) {
  Group paired;
  std::vector<double> scores, full_scores;
  for (const auto* record : group) {
    const auto found = baselines.find(baseline_key(*record));
    if (found == baselines.end()) continue;
    paired.push_back(record);
    scores.push_back(record->score);
    full_scores.push_back(found->second);
  }
  const double full = mean_of(full_scores);
  cell.paired_delta = if_number(mean_of(scores) - full);
  if (full > 0) cell.relative_to_full = mean_of(scores) / full;
  const Interval interval =
      bootstrap_paired(scores, full_scores, clusters_of(paired), 0.95, 2000, seed);
  cell.paired_ci_low = if_number(interval.low);
  cell.paired_ci_high = if_number(interval.high);
}

void measure_sizes(Cell& cell, const Group& group, const ModelIdentity& model) {
  cell.budget_tokens = mean_of(group, [](const auto& r) { return r.budget_tokens; });
  cell.budget_fraction = mean_of(group, [&](const SampleRecord& r) {
    return static_cast<double>(r.kept_entries) /
           static_cast<double>(r.prompt_tokens * model.layers * model.kv_heads);
  });
  cell.kept_bytes = mean_of(group, [](const auto& r) { return r.kept_bytes; });
  cell.full_bytes = mean_of(group, [](const auto& r) { return r.full_bytes; });
}

/// Mean over the samples where `value` was measured.
template <class Value>
std::optional<double> mean_measured(const Group& group, Value&& value) {
  std::vector<double> measured;
  for (const auto* record : group) {
    if (!std::isnan(value(*record))) measured.push_back(value(*record));
  }
  return if_number(mean_of(measured));
}

void measure_fidelity(Cell& cell, const Group& group) {
  cell.kl = mean_measured(group, [](const auto& r) { return r.kl; });
  cell.top1_agreement = mean_measured(group, [](const auto& r) { return r.top1_agreement; });
  cell.answer_nll = mean_measured(group, [](const auto& r) { return r.answer_nll; });
  cell.full_answer_nll = mean_measured(group, [](const auto& r) { return r.full_answer_nll; });
}

void measure_speed(Cell& cell, const Group& group) {
  cell.prefill_s = mean_of(group, [](const auto& r) { return r.prefill_s; });
  const double decode_s = mean_of(group, [](const auto& r) { return r.decode_s; });
  const double tokens = mean_of(group, [](const auto& r) { return r.generated_tokens; });
  cell.decode_tokens_per_s = decode_s > 0 ? tokens / decode_s : kNaN;
}

Cell cell_of(const Group& all, const ModelIdentity& model, const Baselines& baselines,
             uint64_t seed) {
  const SampleRecord& first = *all.front();
  Group group;
  for (const auto* record : all) {
    if (counts(*record)) group.push_back(record);
  }
  Cell cell;
  cell.task = first.task, cell.method = first.method, cell.visibility = first.visibility;
  cell.mask = first.mask, cell.budget = first.budget, cell.metric = first.metric;
  cell.n = static_cast<int64_t>(group.size());
  cell.uncompressed = static_cast<int64_t>(all.size() - group.size());
  std::vector<double> scores;
  for (const auto* record : group) scores.push_back(record->score);
  const Interval interval = bootstrap_mean(scores, clusters_of(group), 0.95, 2000, seed);
  cell.score = mean_of(scores), cell.ci_low = interval.low, cell.ci_high = interval.high;
  measure_sizes(cell, group, model);
  measure_fidelity(cell, group);
  cell.parsed = mean_measured(group, [](const auto& r) { return r.parsed; });
  measure_speed(cell, group);
  for (const auto* record : group) cell.is_exact &= record->is_exact;
  compare_with_full(cell, group, baselines, seed);
  return cell;
}

/// A field list as a JSON object: NaN and nullopt become null.
struct JsonFields {
  Json object = Json::object();
  template <class T>
  void operator()(const char* name, const T& value) {
    object[name] = value;
  }
  void operator()(const char* name, double value) {
    object[name] = std::isfinite(value) ? Json(value) : Json();
  }
  void operator()(const char* name, const std::optional<double>& value) {
    (*this)(name, value.value_or(kNaN));
  }
};

template <class Record>
Json json_of(const Record& record) {
  JsonFields fields;
  Record::fields(record, fields);
  return fields.object;
}

Json json_of(const LongbenchSummary& summary) {
  JsonFields fields;
  fields("method", summary.method), fields("visibility", summary.visibility);
  fields("mask", summary.mask), fields("budget", summary.budget);
  for (const auto& score : summary.datasets) {
    JsonFields dataset;
    dataset("dataset", score.facts.dataset), dataset("is_extended", score.facts.is_extended);
    dataset("n", score.n), dataset("score", score.score);
    for (size_t i = 0; i < score.by_length.size(); ++i) {
      dataset(std::string(kLongbenchLengths[i]).c_str(), score.by_length[i]);
    }
    fields.object["datasets"].push_back(dataset.object);
  }
  fields("mean_of_sixteen", summary.mean_of_sixteen);
  fields("english", summary.english), fields("english_mean", summary.english_mean);
  fields("chinese", summary.chinese), fields("chinese_mean", summary.chinese_mean);
  return fields.object;
}

}  // namespace

std::vector<Cell> summarise(const Results& results, uint64_t seed) {
  Baselines baselines;
  for (const auto& record : results.records) {
    if (is_baseline(record)) baselines.emplace(baseline_key(record), record.score);
  }
  std::vector<Cell> cells;
  for (const auto& group : group_records(results.records)) {
    cells.push_back(cell_of(group, results.model, baselines, seed));
  }
  return cells;
}

std::string to_json(const Results& results, const std::vector<Cell>& cells) {
  Json root = {{"format", "kvcal.results/1"}};
  root["provenance"] = json_of(results.provenance);
  root["model"] = json_of(results.model);
  root["cells"] = Json::array();
  for (const auto& cell : cells) root["cells"].push_back(json_of(cell));
  for (const auto& summary : summarise_longbench(results)) {
    root["longbench"].push_back(json_of(summary));
  }
  return root.dump(2, ' ', false, Json::error_handler_t::replace) + "\n";
}

}  // namespace kvcal
