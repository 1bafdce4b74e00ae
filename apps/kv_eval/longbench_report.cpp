// SPDX-License-Identifier: Apache-2.0
#include "kv_eval/longbench_report.hpp"

#include <fmt/format.h>

#include <cmath>

#include "shared/table.hpp"

namespace kvcal {
namespace {

std::string points(const std::optional<double>& score) {
  return score && !std::isnan(*score) ? fmt::format("{:.2f}", *score) : "-";
}

std::string points(const std::map<std::string, double>& means, const std::string& category) {
  const auto found = means.find(category);
  return points(found == means.end() ? std::nullopt : std::optional(found->second));
}

/// A table whose rows are variants; `cells` gives what stands behind the variant's name.
template <class Cells>
std::string variants_table(const std::string& title, const std::vector<std::string>& columns,
                           const std::vector<LongbenchSummary>& summaries, Cells cells) {
  std::vector<std::string> heads = {"<" + title, "<visibility"};
  heads.insert(heads.end(), columns.begin(), columns.end());
  Table table(heads);
  for (const auto& summary : summaries) {
    std::vector<std::string> row = {variant_name(summary), summary.visibility};
    for (auto& cell : cells(summary)) row.push_back(std::move(cell));
    table.add(row);
  }
  return "\n" + table.text();
}

/// All variants run the same datasets.
std::string scores_table(const std::vector<LongbenchSummary>& summaries) {
  std::vector<std::string> columns;
  for (const auto& score : summaries.front().datasets) {
    if (!score.facts.is_extended) columns.push_back(score.facts.dataset);
  }
  if (columns.empty()) return "";
  const bool has_sixteen = summaries.front().mean_of_sixteen.has_value();
  if (has_sixteen) columns.push_back("mean of 16");
  return variants_table("LongBench", columns, summaries, [=](const LongbenchSummary& summary) {
    std::vector<std::string> cells;
    for (const auto& score : summary.datasets) {
      if (!score.facts.is_extended) cells.push_back(points(score.score));
    }
    if (has_sixteen) cells.push_back(points(summary.mean_of_sixteen));
    return cells;
  });
}

std::string categories_table(const std::string& language,
                             const std::vector<LongbenchSummary>& summaries,
                             std::map<std::string, double> LongbenchSummary::*means,
                             std::optional<double> LongbenchSummary::*mean) {
  std::vector<std::string> columns;
  for (const auto& [category, score] : summaries.front().*means) columns.push_back(category);
  if (columns.empty()) return "";
  auto heads = columns;
  heads.emplace_back("all six");
  return variants_table("LongBench, " + language, heads, summaries,
                        [&](const LongbenchSummary& summary) {
                          std::vector<std::string> cells;
                          for (const auto& category : columns)
                            cells.push_back(points(summary.*means, category));
                          cells.push_back(points(summary.*mean));
                          return cells;
                        });
}

std::string extended_table(const std::vector<LongbenchSummary>& summaries) {
  std::vector<std::string> columns;
  for (const auto& score : summaries.front().datasets) {
    if (!score.facts.is_extended) continue;
    for (const auto length : kLongbenchLengths) {
      columns.push_back(fmt::format("{} {}", score.facts.dataset, length));
    }
  }
  if (columns.empty()) return "";
  return variants_table("LongBench-E", columns, summaries, [](const LongbenchSummary& summary) {
    std::vector<std::string> cells;
    for (const auto& score : summary.datasets) {
      for (double bucket : score.by_length) cells.push_back(points(bucket));
    }
    return cells;
  });
}

}  // namespace

std::string longbench_tables(const std::vector<LongbenchSummary>& summaries) {
  if (summaries.empty()) return "";
  return scores_table(summaries) +
         categories_table("English", summaries, &LongbenchSummary::english,
                          &LongbenchSummary::english_mean) +
         categories_table("Chinese", summaries, &LongbenchSummary::chinese,
                          &LongbenchSummary::chinese_mean) +
         extended_table(summaries);
}

}  // namespace kvcal
