// SPDX-License-Identifier: Apache-2.0
#include <fmt/format.h>

#include <algorithm>

#include "kvcal/profile/format.hpp"
#include "report/panel.hpp"
#include "report/section.hpp"
#include "report/text/escape.hpp"

namespace kvcal {
namespace {

using namespace report;

constexpr size_t kLongestText = 600;  // characters of a prediction or reference

struct SampleView {
  std::vector<const SampleRecord*> records;  // by variant, in order of appearance
  double full = 0, compressed = 0;
  int64_t variants = 0;
  /// What compression cost on average.
  double loss() const {
    return variants == 0 ? 0 : full - compressed / static_cast<double>(variants);
  }
};

std::vector<SampleView> views_of(const ReportData& data, const Panel& panel) {
  std::vector<SampleView> views;
  std::map<std::string, size_t> places;
  for (const auto& r : data.results.records) {
    if (r.task != panel.task || r.metric != panel.metric || r.visibility != panel.visibility)
      continue;
    const auto [found, is_new] = places.try_emplace(r.sample, views.size());
    if (is_new) views.emplace_back();
    auto& view = views[found->second];
    view.records.push_back(&r);
    if (is_masked(r.mask)) continue;
    if (r.budget == "full") {
      view.full = r.score;
    } else {
      view.compressed += r.score, ++view.variants;
    }
  }
  return views;
}

std::string passage(std::string_view text) {
  const std::string shown = shorten_lines(text, kLongestText);
  return shown.empty() ? "<i>nothing</i>" : fmt::format("<q>{}</q>", escape_html(shown));
}

std::string references_of(const SampleRecord& record) {
  std::string html;
  for (const auto& reference : record.references) {
    if (!html.empty()) html += " or ";
    html += passage(reference);
  }
  return html.empty() ? "<i>no reference</i>" : html;
}

std::string row_of(const SampleRecord& record) {
  return fmt::format(
      "<tr data-series=\"{}\"><th scope=\"row\">{}</th><td class=\"number\"><span class=\"bar\" "
      "style=\"--share:{:.3f}\">{}</span></td><td>{}</td></tr>\n",
      escape_html(printable(record.method)), escape_html(variant_name(record)),
      std::clamp(record.score, 0.0, 1.0), format_score(record.score), passage(record.prediction));
}

std::string html_of(const SampleView& view) {
  const SampleRecord& first = *view.records.front();
  std::string html = fmt::format(
      "<details class=\"sample\"><summary><b>{}</b> <small>full cache {}, compressed {} on "
      "average</small></summary>\n<p>Expected: {}</p>\n<div class=\"scroll\" tabindex=\"0\"><table>"
      "\n<thead><tr><th scope=\"col\">variant</th><th scope=\"col\" class=\"number\">score</th>"
      "<th scope=\"col\">prediction</th></tr></thead>\n<tbody>\n",
      escape_html(first.sample), format_score(view.full),
      view.variants == 0 ? "-" : format_score(view.compressed / static_cast<double>(view.variants)),
      references_of(first));
  for (const auto* record : view.records) html += row_of(*record);
  return html + "</tbody></table></div></details>\n";
}

Section make(const ReportData& data) {
  Section section;
  for (const auto& panel : panels_of(data.cells)) {
    auto views = views_of(data, panel);
    std::stable_sort(views.begin(), views.end(),
                     [](const SampleView& a, const SampleView& b) { return a.loss() > b.loss(); });
    const size_t shown = std::min(views.size(), static_cast<size_t>(data.samples_per_task));
    if (shown == 0) continue;
    std::string html =
        fmt::format("<h3>{} <small>{} of {} samples, {}</small></h3>\n", escape_html(panel.title()),
                    shown, views.size(), escape_html(panel.metric));
    for (size_t i = 0; i < shown; ++i) html += html_of(views[i]);
    section.add(html);
  }
  return section;
}

}  // namespace

extern const SectionInfo section_samples = {"samples",
                                            100,
                                            "Samples",
                                            "What the model wrote, where compression cost most: "
                                            "the samples with the largest mean loss against "
                                            "the full cache, with every variant's prediction. They "
                                            "are chosen for their failures and represent "
                                            "nothing else.",
                                            "",
                                            make};

}  // namespace kvcal
