// SPDX-License-Identifier: Apache-2.0
#include "shared/heatmap.hpp"

#include <fmt/format.h>

#include <map>
#include <set>
#include <tuple>

namespace kvcal {
namespace {

struct Mean {
  double sum = 0;
  int64_t count = 0;
};

struct Grid {
  std::map<std::pair<double, double>, Mean> cells;  // depth, length
  std::set<double> depths, lengths;
};

/// Four shades, so that a bad corner is seen before a number is read.
std::string_view shade(double score) {
  if (score >= 0.9) return "##";
  if (score >= 0.6) return "++";
  if (score >= 0.3) return "--";
  return "..";
}

std::string draw(const std::string& title, const Grid& grid) {
  std::string text = fmt::format("{}\n  depth \\ tokens", title);
  for (double length : grid.lengths) text += fmt::format("{:>9.0f}", length);
  text += "\n";
  for (double depth : grid.depths) {
    text += fmt::format("  {:>13.0f}%", depth * 100);
    for (double length : grid.lengths) {
      const auto found = grid.cells.find({depth, length});
      if (found == grid.cells.end()) {
        text += fmt::format("{:>9}", "");
        continue;
      }
      const double score = found->second.sum / static_cast<double>(found->second.count);
      text += fmt::format("  {} {:.2f}", shade(score), score);
    }
    text += "\n";
  }
  return text;
}

}  // namespace

std::string needle_heatmaps(const Results& results) {
  std::vector<std::string> titles;  // in order of first appearance
  std::map<std::string, Grid> grids;
  for (const auto& record : results.records) {
    if (record.depth < 0) continue;
    const std::string title =
        fmt::format("{} {} {}", record.task, record.visibility, variant_name(record));
    auto [entry, is_new] = grids.try_emplace(title);
    if (is_new) titles.push_back(title);
    auto& cell = entry->second.cells[{record.depth, record.length}];
    cell.sum += record.score;
    ++cell.count;
    entry->second.depths.insert(record.depth);
    entry->second.lengths.insert(record.length);
  }
  std::string text;
  for (const auto& title : titles) {
    text += '\n';
    text += draw(title, grids[title]);
  }
  if (!text.empty()) text += "\n  ## >= 0.9   ++ >= 0.6   -- >= 0.3   .. below\n";
  return text;
}

}  // namespace kvcal
