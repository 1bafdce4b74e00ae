// SPDX-License-Identifier: Apache-2.0
#include <fmt/format.h>

#include <algorithm>

#include "kvcal/profile/format.hpp"
#include "report/accuracy_chart.hpp"
#include "report/html.hpp"
#include "report/section.hpp"

namespace kvcal {
namespace {

using namespace report;

TableCell score_cell(const Cell& cell) {
  return {format_score(cell.score), cell.score, format_interval(cell.ci_low, cell.ci_high)};
}

template <class Text>
std::vector<std::string> distinct(const std::vector<const Cell*>& cells, Text&& text) {
  std::vector<std::string> found;
  for (const auto* cell : cells) {
    if (std::find(found.begin(), found.end(), text(*cell)) == found.end()) {
      found.push_back(text(*cell));
    }
  }
  return found;
}

/// The numbers of the plot: a row per method, a column per budget.
std::string numbers(const Panel& panel) {
  const auto budgets = distinct(panel.variants, [](const Cell& c) { return c.budget; });
  std::vector<std::string> columns = {"method"};
  columns.insert(columns.end(), budgets.begin(), budgets.end());
  HtmlTable table(columns);
  const auto methods = distinct(panel.variants, [](const Cell& c) { return c.method; });
  for (const auto& method : methods) {
    std::vector<TableCell> row = {{method, {}, ""}};
    row.resize(columns.size());
    for (const auto* cell : panel.variants) {
      if (cell->method != method) continue;
      const auto column = std::find(budgets.begin(), budgets.end(), cell->budget) - budgets.begin();
      row[static_cast<size_t>(column) + 1] = score_cell(*cell);
    }
    table.add(row, method);
  }
  return table.html();
}

/// Scores that cannot tell variants apart should not be read as if they did.
std::string warning(const Panel& panel) {
  const std::string limit = panel.variants.front()->limit;
  if (limit == kFloor) return " Too hard for the model itself: there is little to lose here.";
  if (limit == kCeiling) return " Too easy: every variant is near the top, whatever it keeps.";
  return "";
}

/// What the dashed line is.
std::string of_full_cache(const Panel& panel) {
  if (panel.full == nullptr) return "";
  return fmt::format("<p>Full cache: <b>{}</b> {}.{}</p>\n", format_score(panel.full->score),
                     format_interval(panel.full->ci_low, panel.full->ci_high), warning(panel));
}

Section make(const ReportData& data) {
  Section section;
  for (const auto& panel : panels_of(data.cells)) {
    if (panel.variants.empty()) continue;
    section.add("<div class=\"pair\">\n");
    section.add(draw_curves(accuracy_chart(panel, data.styles)));
    section.add(fmt::format("<div>{}{}</div></div>\n", of_full_cache(panel), numbers(panel)));
  }
  return section;
}

}  // namespace

extern const SectionInfo section_accuracy = {
    "accuracy",
    10,
    "Accuracy versus budget",
    "Mean score against the share of KV entries that were really kept. Bands are 95&nbsp;% "
    "bootstrap "
    "intervals over samples, the dashed line is the full cache: read from right to left, a budget "
    "is "
    "too small where a curve leaves that line.",
    "No compressed variant was run, so there are no accuracy curves.",
    make};

}  // namespace kvcal
