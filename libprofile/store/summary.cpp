// SPDX-License-Identifier: Apache-2.0
// Cells: means over samples with their intervals, and what they are compared with.
#include <algorithm>
#include <cmath>
#include <limits>
#include <map>

#include "kvcal/profile/comparison.hpp"
#include "kvcal/profile/results.hpp"

namespace kvcal {
namespace {

template <class Value>
double mean_of(const RecordGroup& group, Value&& value) {
  double sum = 0;
  for (const auto* record : group) sum += static_cast<double>(value(*record));
  return group.empty() ? kNaN : sum / static_cast<double>(group.size());
}

double mean_of(const std::vector<double>& values) {
  double sum = 0;
  for (double value : values) sum += value;
  return values.empty() ? kNaN : sum / static_cast<double>(values.size());
}

/// What a variant is compared with: the full cache, and `random` at the same budget.
struct Yardsticks {
  using Key = std::vector<std::string>;
  std::map<Key, const RecordGroup*> full, random;

  explicit Yardsticks(const std::vector<RecordGroup>& groups) {
    for (const auto& group : groups) {
      const SampleRecord& first = *group.front();
      if (is_full_cache(first)) full.emplace(full_key(first), &group);
      if (first.method == "random") random.emplace(random_key(first), &group);
    }
  }
  static Key full_key(const SampleRecord& r) { return {r.task, r.metric, r.visibility}; }
  static Key random_key(const SampleRecord& r) {
    return {r.task, r.metric, r.visibility, r.mask, r.budget};
  }
};

void compare_with_full(Cell& cell, const RecordGroup& group, const RecordGroup& full,
                       uint64_t seed) {
  const Comparison found = compare(pair_by_sample(group, full), {.seed = seed});
  cell.paired_delta = if_number(found.delta);
  cell.paired_ci_low = if_number(found.delta_interval.low);
  cell.paired_ci_high = if_number(found.delta_interval.high);
  cell.relative_to_full = if_number(found.ratio);
  cell.relative_ci_low = if_number(found.ratio_interval.low);
  cell.relative_ci_high = if_number(found.ratio_interval.high);
  cell.wins = found.wins, cell.ties = found.ties, cell.losses = found.losses;
  if (!is_full_cache(*group.front())) cell.p_value = if_number(found.p_value);
}

void compare_with_random(Cell& cell, const RecordGroup& group, const RecordGroup& random,
                         uint64_t seed) {
  const Comparison found = compare(pair_by_sample(group, random), {.seed = seed});
  cell.random_delta = if_number(found.delta);
  cell.random_ci_low = if_number(found.delta_interval.low);
  cell.random_ci_high = if_number(found.delta_interval.high);
}

void compare_with_yardsticks(Cell& cell, const RecordGroup& group, const Yardsticks& yardsticks,
                             uint64_t seed) {
  const SampleRecord& first = *group.front();
  const auto full = yardsticks.full.find(Yardsticks::full_key(first));
  if (full != yardsticks.full.end()) compare_with_full(cell, group, *full->second, seed);
  const auto random = yardsticks.random.find(Yardsticks::random_key(first));
  if (random != yardsticks.random.end() && random->second != &group) {
    compare_with_random(cell, group, *random->second, seed);
  }
}

/// The family: every difference to the full cache in the table.
void adjust_p_values(std::vector<Cell>& cells) {
  std::vector<double> p_values;
  for (const auto& cell : cells) p_values.push_back(cell.p_value.value_or(kNaN));
  const auto adjusted = holm(p_values);
  for (size_t i = 0; i < cells.size(); ++i) cells[i].p_holm = if_number(adjusted[i]);
}

/// The cells of one task and visibility are flagged together.
void flag_limits(std::vector<Cell>& cells) {
  struct Range {
    double full = kNaN, least_compressed = kNaN;
  };
  std::map<std::vector<std::string>, Range> ranges;
  const auto key = [](const Cell& cell) {
    return std::vector<std::string>{cell.task, cell.metric, cell.visibility};
  };
  for (const auto& cell : cells) {
    Range& range = ranges[key(cell)];
    if (is_full_cache(cell)) range.full = cell.score;
    if (cell.budget != "full")
      range.least_compressed = std::fmin(range.least_compressed, cell.score);
  }
  for (auto& cell : cells) {
    const Range& range = ranges[key(cell)];
    if (range.full <= kFloorScore) cell.limit = kFloor;
    if (range.least_compressed >= kCeilingScore) cell.limit = kCeiling;
  }
}

void measure_sizes(Cell& cell, const RecordGroup& group, const ModelIdentity& model) {
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
std::optional<double> mean_measured(const RecordGroup& group, Value&& value) {
  std::vector<double> measured;
  for (const auto* record : group) {
    if (!std::isnan(value(*record))) measured.push_back(value(*record));
  }
  return if_number(mean_of(measured));
}

/// Documents are drawn together; where there is only one, its questions are, one by one.
std::vector<int64_t> clusters_of(const RecordGroup& group) {
  const auto documents = document_clusters(group);
  const bool is_one = std::all_of(documents.begin(), documents.end(),
                                  [&](int64_t document) { return document == documents.front(); });
  return is_one ? std::vector<int64_t>() : documents;
}

void bound_kl(Cell& cell, const RecordGroup& group, uint64_t seed) {
  RecordGroup measured;
  std::vector<double> values;
  for (const auto* record : group) {
    if (std::isnan(record->kl)) continue;
    measured.push_back(record);
    values.push_back(record->kl);
  }
  const Interval interval = bootstrap_mean(values, clusters_of(measured), 0.95, 2000, seed);
  cell.kl_ci_low = if_number(interval.low), cell.kl_ci_high = if_number(interval.high);
}

void measure_fidelity(Cell& cell, const RecordGroup& group) {
  cell.kl = mean_measured(group, [](const auto& r) { return r.kl; });
  cell.top1_agreement = mean_measured(group, [](const auto& r) { return r.top1_agreement; });
  cell.answer_nll = mean_measured(group, [](const auto& r) { return r.answer_nll; });
  cell.full_answer_nll = mean_measured(group, [](const auto& r) { return r.full_answer_nll; });
}

void measure_speed(Cell& cell, const RecordGroup& group) {
  cell.prefill_s = mean_of(group, [](const auto& r) { return r.prefill_s; });
  const double decode_s = mean_of(group, [](const auto& r) { return r.decode_s; });
  const double tokens = mean_of(group, [](const auto& r) { return r.generated_tokens; });
  cell.decode_tokens_per_s = decode_s > 0 ? tokens / decode_s : kNaN;
}

Cell cell_of(const RecordGroup& all, const ModelIdentity& model, const Yardsticks& yardsticks,
             uint64_t seed) {
  const SampleRecord& first = *all.front();
  RecordGroup group;
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
  const Interval interval = bootstrap_mean(scores, document_clusters(group), 0.95, 2000, seed);
  cell.score = mean_of(scores), cell.ci_low = interval.low, cell.ci_high = interval.high;
  measure_sizes(cell, group, model);
  measure_fidelity(cell, group);
  bound_kl(cell, group, seed);
  cell.parsed = mean_measured(group, [](const auto& r) { return r.parsed; });
  measure_speed(cell, group);
  for (const auto* record : group) cell.is_exact &= record->is_exact;
  compare_with_yardsticks(cell, all, yardsticks, seed);
  return cell;
}

}  // namespace

std::vector<Cell> summarise(const Results& results, uint64_t seed) {
  const auto groups = group_by_variant(results.records);
  const Yardsticks yardsticks(groups);
  std::vector<Cell> cells;
  for (const auto& group : groups) {
    cells.push_back(cell_of(group, results.model, yardsticks, seed));
  }
  adjust_p_values(cells);
  flag_limits(cells);
  return cells;
}

}  // namespace kvcal
