// SPDX-License-Identifier: Apache-2.0
#include <fmt/format.h>

#include <algorithm>

#include "kvcal/profile/format.hpp"
#include "kvcal/profile/identify.hpp"
#include "report/html.hpp"
#include "report/plot/heatmap.hpp"
#include "report/section.hpp"
#include "report/text/escape.hpp"

namespace kvcal {
namespace {

using namespace report;

constexpr int64_t kMarked = 20;
constexpr int64_t kListed = 10;

std::vector<std::string> numbers_to(int64_t count) {
  std::vector<std::string> names;
  for (int64_t i = 0; i < count; ++i) names.push_back(std::to_string(i));
  return names;
}

/// Rows are heads, columns layers: models are longer than wide.
Figure draw(const std::string& kind, const HeadScores& scores,
            const std::vector<HeadSummary>& best) {
  HeatmapChart chart;
  chart.name = fmt::format("heads-{}", slug(kind));
  chart.alt =
      fmt::format("{} head scores by layer and head, the best {} marked", kind, best.size());
  chart.row_label = "head", chart.column_label = "layer";
  chart.scale_label = "mean score a prompt";
  chart.rows = numbers_to(scores.heads), chart.columns = numbers_to(scores.layers);
  chart.square_width = scores.layers > 40 ? 14 : 24;
  chart.square_height = scores.heads > 40 ? 10 : 18;
  chart.has_numbers = false;
  const auto means = scores.mean();  // [layers, heads]
  Heatmap map{fmt::format("{} retrieval heads   (n = {} prompts)", kind, scores.count), "", {}, {}};
  for (int64_t head = 0; head < scores.heads; ++head) {
    for (int64_t layer = 0; layer < scores.layers; ++layer) {
      map.values.push_back(means[static_cast<size_t>(layer * scores.heads + head)]);
      map.is_marked.push_back(std::any_of(best.begin(), best.end(), [&](const HeadSummary& b) {
        return b.layer == layer && b.head == head;
      }));
    }
  }
  chart.low = std::min(0.0, *std::min_element(means.begin(), means.end()));
  const double high = *std::max_element(means.begin(), means.end());
  chart.high = high > chart.low ? high : chart.low + 1;
  chart.maps.push_back(std::move(map));
  return draw_heatmaps(chart);
}

std::string list(const std::vector<HeadSummary>& best) {
  HtmlTable table({"rank", "layer", "head", "mean score", "95 % interval"});
  for (size_t i = 0; i < best.size() && i < kListed; ++i) {
    table.add({{std::to_string(i + 1), {}, ""},
               {std::to_string(best[i].layer), static_cast<double>(best[i].layer), ""},
               {std::to_string(best[i].head), static_cast<double>(best[i].head), ""},
               {format_score(best[i].mean), best[i].mean, ""},
               {format_interval(best[i].interval.low, best[i].interval.high), {}, ""}});
  }
  return fmt::format("<details><summary>The best {} heads with intervals</summary>\n{}</details>\n",
                     std::min<size_t>(best.size(), kListed), table.html());
}

Section make(const ReportData& data) {
  Section section;
  if (!data.profile) return section;
  for (const auto& [kind, scores] : data.profile->heads) {
    if (scores.count == 0 || scores.layers * scores.heads == 0) continue;
    const auto best =
        top_heads(scores, kMarked, {}, static_cast<uint64_t>(data.profile->provenance.seed));
    section.add(draw(kind, scores, best));
    section.add(list(best));
  }
  return section;
}

}  // namespace

extern const SectionInfo section_heads = {
    "heads",
    70,
    "Retrieval heads",
    "Score of every attention head of the model; rings mark the twenty best. Semantic heads attend "
    "to "
    "the tokens of the answer while it is written, traditional ones copy the very token.",
    "Without a profile (<code>--profile</code>) there are no head scores.",
    make};

}  // namespace kvcal
