// SPDX-License-Identifier: Apache-2.0
#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <cmath>

#include "report/field_table.hpp"
#include "report/panel.hpp"
#include "report/plot/dots.hpp"
#include "report/section.hpp"
#include "report/text/escape.hpp"

namespace kvcal {
namespace {

using namespace report;

/// A difference of Cell and its interval.
struct Difference {
  const char* name;
  const char* to;
  std::optional<double> Cell::*delta;
  std::optional<double> Cell::*low;
  std::optional<double> Cell::*high;
};

constexpr std::array kDifferences{
    Difference{"to-full", "the full cache", &Cell::paired_delta, &Cell::paired_ci_low,
               &Cell::paired_ci_high},
    Difference{"to-random", "random at the same budget", &Cell::random_delta, &Cell::random_ci_low,
               &Cell::random_ci_high}};

/// All methods at one budget; none where nothing was paired.
std::optional<Figure> draw(const Panel& panel, const std::string& budget, const StyleBook& styles,
                           const Difference& difference) {
  DotChart chart;
  chart.name = fmt::format("{}-{}", figure_name(difference.name, panel), slug(budget));
  chart.title = fmt::format("{}, budget {}   (n = {})", panel.title(), budget, panel.samples());
  chart.alt = fmt::format("Paired difference in {} to {}, {}, budget {}", panel.metric,
                          difference.to, panel.title(), budget);
  chart.x_label = fmt::format("score minus that of {}", difference.to);
  chart.reference = 0, chart.low = -0.1, chart.high = 0.1;
  chart.is_signed = true;
  for (const auto* cell : panel.variants) {
    if (cell->budget != budget || !(cell->*difference.delta)) continue;
    const double none = std::nan("");
    chart.rows.push_back({cell->method, cell->method, styles.of(cell->method),
                          *(cell->*difference.delta), (cell->*difference.low).value_or(none),
                          (cell->*difference.high).value_or(none)});
  }
  return draw_dots(chart);
}

std::vector<std::string> budgets_of(const Panel& panel) {
  std::vector<std::string> budgets;
  for (const auto* cell : panel.variants) {
    if (std::find(budgets.begin(), budgets.end(), cell->budget) == budgets.end()) {
      budgets.push_back(cell->budget);
    }
  }
  return budgets;
}

void add_plots(Section& section, const ReportData& data, const Panel& panel) {
  section.add(heading(panel.title(), panel.metric) +
              "<div class=\"choices\" data-label=\"budget\">\n");
  for (const auto& budget : budgets_of(panel)) {
    section.add(
        fmt::format("<div class=\"choice\" data-choice=\"{0}\"><h4>budget {0}</h4>\n"
                    "<div class=\"pair\">\n",
                    escape_html(budget)));
    for (const auto& difference : kDifferences) {
      section.add(draw(panel, budget, data.styles, difference));
    }
    section.add("</div></div>\n");
  }
  section.add("</div>\n");
}

void add_areas(Section& section, const ReportData& data) {
  static constexpr std::array<std::string_view, 1> kInName{"method"};
  std::vector<FieldRow> rows;
  for (const auto& area : data.areas) {
    FieldRow row(area.method, area.method, kInName);
    Area::fields(area, row);
    rows.push_back(std::move(row));
  }
  if (rows.empty()) return;
  section.add(
      "<h3>Area under the curve</h3>\n<p class=\"lead\">One number for a method over all budgets: "
      "its "
      "mean score over the logarithm of the kept share, in the range that all methods of the task "
      "have "
      "in common.</p>\n" +
      field_table("method", rows));
}

Section make(const ReportData& data) {
  Section section;
  for (const auto& panel : panels_of(data.cells)) {
    const bool is_paired =
        std::any_of(panel.variants.begin(), panel.variants.end(),
                    [](const Cell* c) { return c->paired_delta || c->random_delta; });
    if (is_paired) add_plots(section, data, panel);
  }
  add_areas(section, data);
  return section;
}

}  // namespace

extern const SectionInfo section_differences = {
    "differences",
    20,
    "Paired differences",
    "The same samples under two caches: what a method loses against the full cache, and what it "
    "gains "
    "over keeping random tokens. Lines are 95&nbsp;% intervals; one that crosses zero shows no "
    "difference.",
    "Neither the full cache nor random was run, so nothing is compared pairwise.",
    make};

}  // namespace kvcal
