// SPDX-License-Identifier: Apache-2.0
#include <fmt/format.h>

#include <algorithm>
#include <cmath>
#include <map>
#include <set>

#include "report/panel.hpp"
#include "report/plot/heatmap.hpp"
#include "report/section.hpp"
#include "report/text/escape.hpp"

namespace kvcal {
namespace {

using namespace report;

struct Mean {
  double sum = 0;
  int64_t count = 0;
};

/// By depth, then length: the squares of one heatmap.
using Grid = std::map<std::pair<double, double>, Mean>;

struct NeedleTask {
  Panel panel;
  std::set<double> depths, lengths;
  std::map<std::pair<std::string, std::string>, Grid> grids;  // by method and budget
  std::vector<std::string> methods, budgets;                  // in order of appearance
};

void append_new(std::vector<std::string>& names, const std::string& name) {
  if (std::find(names.begin(), names.end(), name) == names.end()) names.push_back(name);
}

NeedleTask collect(const ReportData& data, const Panel& panel) {
  NeedleTask task{panel, {}, {}, {}, {}, {}};
  for (const auto& r : data.results.records) {
    if (r.depth < 0 || is_masked(r.mask)) continue;
    if (r.task != panel.task || r.metric != panel.metric || r.visibility != panel.visibility)
      continue;
    auto& mean = task.grids[{r.method, r.budget}][{r.depth, r.length}];
    mean.sum += r.score, ++mean.count;
    task.depths.insert(r.depth), task.lengths.insert(r.length);
    append_new(task.methods, r.method);
    if (r.budget != "full") append_new(task.budgets, r.budget);
  }
  return task;
}

Heatmap map_of(const NeedleTask& task, const std::string& method, const Grid& grid) {
  Heatmap map{shorten(method, 24), method, {}, {}};
  for (double depth : task.depths) {
    for (double length : task.lengths) {
      const auto found = grid.find({depth, length});
      map.values.push_back(found == grid.end()
                               ? std::nan("")
                               : found->second.sum / static_cast<double>(found->second.count));
    }
  }
  return map;
}

/// "1" or "1 to 3": needles behind each square.
std::string needles_per_square(const NeedleTask& task) {
  int64_t least = std::numeric_limits<int64_t>::max(), most = 0;
  for (const auto& [variant, grid] : task.grids) {
    for (const auto& [place, mean] : grid) {
      least = std::min(least, mean.count), most = std::max(most, mean.count);
    }
  }
  return least == most ? std::to_string(least) : fmt::format("{} to {}", least, most);
}

/// All methods at one budget, the full cache first.
Figure draw(const NeedleTask& task, const std::string& budget) {
  HeatmapChart chart;
  chart.name = fmt::format("{}-{}", figure_name("needles", task.panel), slug(budget));
  chart.alt = fmt::format("{} at budget {}: score by needle depth and prompt length, by method",
                          task.panel.title(), budget);
  chart.row_label = "depth of the needle", chart.column_label = "prompt length (tokens)";
  chart.scale_label = "mean score";
  for (double depth : task.depths) chart.rows.push_back(fmt::format("{:.3g}%", 100 * depth));
  for (double length : task.lengths) chart.columns.push_back(fmt::format("{:.0f}", length));
  chart.has_numbers = task.lengths.size() <= 10;
  chart.square_width = chart.has_numbers ? 44 : 22;
  for (const auto& method : task.methods) {
    for (const auto& of_budget : {std::string("full"), budget}) {
      const auto grid = task.grids.find({method, of_budget});
      if (grid != task.grids.end()) chart.maps.push_back(map_of(task, method, grid->second));
    }
  }
  return draw_heatmaps(chart);
}

Section make(const ReportData& data) {
  Section section;
  for (const auto& panel : panels_of(data.cells)) {
    const NeedleTask task = collect(data, panel);
    if (task.grids.empty()) continue;
    const auto budgets = task.budgets.empty() ? std::vector<std::string>{"full"} : task.budgets;
    section.add(fmt::format(
        "<h3>{} <small>{}, needles per square: {}</small></h3>\n"
        "<div class=\"choices\" data-label=\"budget\">\n",
        escape_html(panel.title()), escape_html(panel.metric), needles_per_square(task)));
    for (const auto& budget : budgets) {
      section.add(fmt::format("<div class=\"choice\" data-choice=\"{0}\"><h4>budget {0}</h4>\n",
                              escape_html(budget)));
      section.add(draw(task, budget));
      section.add("</div>\n");
    }
    section.add("</div>\n");
  }
  return section;
}

}  // namespace

extern const SectionInfo section_needles = {
    "needles",
    30,
    "Needles by depth and length",
    "Each square is the mean score of the needles hidden at that depth of a prompt of that length. "
    "Compare a method with the full cache: dark rows are depths that it forgets, dark columns are "
    "lengths that are too much for the budget.",
    "",
    make};

}  // namespace kvcal
