// SPDX-License-Identifier: Apache-2.0
#include <fmt/format.h>

#include <algorithm>

#include "report/panel.hpp"
#include "report/plot/dots.hpp"
#include "report/section.hpp"

namespace kvcal {
namespace {

using namespace report;

/// "srh" of "srh:10:zero".
std::string kind_of(const std::string& mask) {
  return mask.substr(0, mask.find(':'));
}

/// Kinds of heads get the same colours in every panel.
StyleBook styles_of_masks(const std::vector<Cell>& cells) {
  std::vector<std::string> kinds;
  for (const auto& cell : cells) {
    if (is_masked(cell.mask)) kinds.push_back(kind_of(cell.mask));
  }
  return StyleBook(kinds);
}

std::optional<Figure> draw(const Panel& panel, const StyleBook& styles) {
  DotChart chart;
  chart.name = figure_name("masks", panel);
  chart.title = fmt::format("{}   (n = {})", panel.title(), panel.samples());
  chart.alt = "Score with silenced heads, " + panel.title();
  chart.x_label = "mean " + panel.metric;
  if (panel.full != nullptr) {
    chart.reference = panel.full->score;
    chart.rows.push_back({"full cache, nothing silenced", "full", styles.of("full"),
                          panel.full->score, panel.full->ci_low, panel.full->ci_high});
  }
  for (const auto* cell : panel.masked) {
    // The full cache is what is silenced, unless the row says otherwise.
    const std::string prefix =
        cell->budget == "full" ? "" : cell->method + "@" + cell->budget + " ";
    chart.rows.push_back({prefix + "without " + cell->mask, kind_of(cell->mask),
                          styles.of(kind_of(cell->mask)), cell->score, cell->ci_low,
                          cell->ci_high});
  }
  return draw_dots(chart);
}

Section make(const ReportData& data) {
  Section section;
  const StyleBook styles = styles_of_masks(data.cells);
  for (const auto& panel : panels_of(data.cells)) {
    if (panel.masked.empty()) continue;
    if (section.is_empty()) section.add("<div class=\"pair\">\n");
    section.add(draw(panel, styles));
  }
  if (!section.is_empty()) section.add("</div>\n");
  return section;
}

}  // namespace

extern const SectionInfo section_masks = {
    "masks",
    50,
    "Silenced heads",
    "The full cache answers while some heads are silenced; <code>srh:10</code> are the ten best "
    "semantic "
    "retrieval heads. Retrieval heads are found if silencing them costs far more than silencing as "
    "many "
    "random ones. Lines are 95&nbsp;% intervals, the dashed line is the model as it is.",
    "No heads were silenced (<code>kv-eval --mask</code>), so the ablation is missing.",
    make};

}  // namespace kvcal
