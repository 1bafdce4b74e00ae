// SPDX-License-Identifier: Apache-2.0
/// Averages as LongBench's eval.py and readme, and as CompressKV, make them: sums in file order, in
/// doubles; means of rounded scores.
#include <algorithm>
#include <cmath>
#include <limits>
#include <set>
#include <tuple>

#include "kvcal/compress/error.hpp"
#include "kvcal/profile/longbench.hpp"
#include "kvcal/profile/task.hpp"
#include "longbench/params.hpp"
#include "metrics/text/overlap.hpp"
#include "tasks/lookup/resolved_task.hpp"

namespace kvcal {
namespace {

constexpr double kBucketEnds[] = {4000, 8000, std::numeric_limits<double>::infinity()};
constexpr int64_t kSixteen = 16;
constexpr size_t kCategories = 6;

double hundred_times(double sum, int64_t count) {
  if (count == 0) return std::numeric_limits<double>::quiet_NaN();
  return text::round_to_hundredths(100 * sum / static_cast<double>(count));
}

std::optional<LongbenchFacts> facts_of(const ResolvedTask& resolved) {
  if (resolved.task->name != "longbench") return std::nullopt;
  const auto params = read_params<LongbenchParams>(resolved.params);
  return LongbenchFacts{resolved.argument, params.category, params.language, params.is_extended,
                        params.is_of_sixteen};
}

LongbenchScore score_of(const LongbenchFacts& facts,
                        const std::vector<const SampleRecord*>& records) {
  LongbenchScore score{facts, static_cast<int64_t>(records.size()), 0, {}};
  double sum = 0;
  for (const auto* record : records) sum += record->score;
  score.score = hundred_times(sum, score.n);
  if (!facts.is_extended) return score;
  double begin = 0;
  for (double end : kBucketEnds) {
    double bucket = 0;
    int64_t count = 0;
    for (const auto* record : records) {
      if (record->length < begin || record->length >= end) continue;
      bucket += record->score;
      ++count;
    }
    score.by_length.push_back(hundred_times(bucket, count));
    begin = end;
  }
  return score;
}

bool counts_in(const LongbenchFacts& facts, std::string_view language) {
  return !facts.is_extended && (facts.language == language || facts.language == "code");
}

/// Datasets that each category has in a language, by configs/tasks.
std::map<std::string, int64_t> category_sizes(std::string_view language) {
  std::map<std::string, int64_t> sizes;
  for (const auto& [name, file] : configured_tasks()) {
    const auto facts = facts_of(read_task(file));
    if (facts && counts_in(*facts, language)) ++sizes[facts->category];
  }
  return sizes;
}

std::map<std::string, double> category_means(const std::vector<LongbenchScore>& scores,
                                             std::string_view language) {
  std::map<std::string, std::vector<double>> by_category;
  for (const auto& score : scores) {
    if (counts_in(score.facts, language)) by_category[score.facts.category].push_back(score.score);
  }
  std::map<std::string, double> means;
  for (const auto& [category, size] : category_sizes(language)) {
    const auto& found = by_category[category];
    if (static_cast<int64_t>(found.size()) != size) continue;
    double sum = 0;
    for (double score : found) sum += score;
    means[category] = text::round_to_hundredths(sum / static_cast<double>(size));
  }
  return means;
}

std::optional<double> mean_of_categories(const std::map<std::string, double>& means) {
  if (means.size() != kCategories) return std::nullopt;
  double sum = 0;
  for (const auto& [category, mean] : means) sum += mean;
  return text::round_to_hundredths(sum / static_cast<double>(kCategories));
}

std::optional<double> mean_of_sixteen(const std::vector<LongbenchScore>& scores) {
  double sum = 0;
  int64_t count = 0;
  for (const auto& score : scores) {
    if (score.facts.is_extended || !score.facts.is_of_sixteen) continue;
    sum += score.score;
    ++count;
  }
  if (count != kSixteen) return std::nullopt;
  return text::round_to_hundredths(sum / static_cast<double>(kSixteen));
}

}  // namespace

std::optional<LongbenchFacts> longbench_facts(std::string_view task) {
  if (const auto file = configured_file(task)) return facts_of(read_task(*file));
  // Results may have been made where a YAML of the user's own lies.
  const bool is_own = task.ends_with(".yaml") && std::filesystem::exists(task);
  return is_own ? facts_of(read_task(task)) : std::nullopt;
}

std::vector<LongbenchSummary> summarise_longbench(const Results& results) {
  using Key = std::tuple<std::string, std::string, std::string, std::string>;
  std::map<std::string, std::optional<LongbenchFacts>> facts;  // by task
  std::vector<Key> variants;                                   // in order of first appearance
  std::vector<std::string> tasks;
  std::map<std::pair<Key, std::string>, std::vector<const SampleRecord*>> records;
  for (const auto& record : results.records) {
    if (!facts.contains(record.task)) facts[record.task] = longbench_facts(record.task);
    if (!facts[record.task]) continue;
    const Key variant{record.method, record.visibility, record.mask, record.budget};
    if (std::find(variants.begin(), variants.end(), variant) == variants.end()) {
      variants.push_back(variant);
    }
    if (std::find(tasks.begin(), tasks.end(), record.task) == tasks.end()) {
      tasks.push_back(record.task);
    }
    records[{variant, record.task}].push_back(&record);
  }
  std::vector<LongbenchSummary> summaries;
  for (const auto& variant : variants) {
    LongbenchSummary summary;
    std::tie(summary.method, summary.visibility, summary.mask, summary.budget) = variant;
    for (const auto& task : tasks) {
      const auto found = records.find({variant, task});
      if (found == records.end()) continue;
      summary.datasets.push_back(score_of(*facts[task], found->second));
    }
    summary.mean_of_sixteen = mean_of_sixteen(summary.datasets);
    summary.english = category_means(summary.datasets, "en");
    summary.chinese = category_means(summary.datasets, "zh");
    summary.english_mean = mean_of_categories(summary.english);
    summary.chinese_mean = mean_of_categories(summary.chinese);
    summaries.push_back(std::move(summary));
  }
  return summaries;
}

}  // namespace kvcal
