// SPDX-License-Identifier: Apache-2.0
#include <gtest/gtest.h>

#include <set>

#include "report/markdown.hpp"
#include "report/page.hpp"
#include "support/markup.hpp"
#include "support/report_case.hpp"

namespace kvcal::report {
namespace {

ReportData data_of(const test::ReportNames& names = {}, bool has_profile = true) {
  ReportData data;
  data.results = test::report_results(names);
  data.cells = summarise(data.results, 1);
  data.areas = areas(data.results, 1);
  data.sources = {{"r.h5", "abcd", data.results.provenance, 24}};
  if (has_profile) data.profile = test::report_profile(names);
  std::vector<std::string> methods;
  for (const auto& cell : data.cells) methods.push_back(cell.method);
  data.styles = StyleBook(methods);
  return data;
}

/// Its HTML, and in place of each figure its script.
struct Shown {
  std::string html, scripts;
  bool holds(const std::string& part) const {
    return html.find(part) != std::string::npos || scripts.find(part) != std::string::npos;
  }
};

Shown show(const Section& section) {
  Shown shown;
  for (const auto& part : section.parts) {
    if (const auto* figure = std::get_if<Figure>(&part)) {
      shown.scripts += figure->script;
    } else {
      shown.html += std::get<std::string>(part);
    }
  }
  return shown;
}

Shown section(std::string_view name, const ReportData& data) {
  for (const SectionInfo* info : section_table()) {
    if (info->name == name) return show(info->make(data));
  }
  ADD_FAILURE() << "no section " << name;
  return {};
}

void expect_holds(const Shown& shown, const std::vector<std::string>& parts) {
  for (const auto& part : parts) EXPECT_TRUE(shown.holds(part)) << part << " lacks";
}

TEST(Section, AllAreWellFormedWithFriendlyAndHostileNames) {
  for (const auto& names : {test::ReportNames{}, test::hostile_names()}) {
    const ReportData data = data_of(names);
    for (const SectionInfo* info : section_table()) {
      const Shown shown = show(info->make(data));
      EXPECT_FALSE(shown.html.empty() && shown.scripts.empty()) << info->name;
      EXPECT_EQ(test::markup_error(shown.html), "") << info->name;
      EXPECT_EQ(shown.html.find("<script"), std::string::npos) << info->name;
      EXPECT_EQ(shown.html.find("<img"), std::string::npos) << info->name;
      EXPECT_EQ(test::markup_error(std::string(info->lead)), "") << info->name;
    }
  }
}

TEST(Section, NamesAndPlacesAreUnique) {
  std::set<std::string_view> names;
  std::set<int> places;
  for (const SectionInfo* info : section_table()) {
    EXPECT_TRUE(names.insert(info->name).second) << info->name;
    EXPECT_TRUE(places.insert(info->order).second) << info->name;
  }
}

TEST(AccuracySection, HasMethodsBudgetsIntervalsAndN) {
  const Shown shown = section("accuracy", data_of());
  expect_holds(shown, {"niah, aware   (n = 4)", "mean niah_rouge1_recall", "25 0.25 ", "50 0.75 ",
                       "full cache", "<th scope=\"col\" class=\"number\">25%</th>",
                       "data-value=\"0.25\">0.250<small>[0.188, 0.312]"});
  EXPECT_FALSE(shown.holds("srh:2")) << "an ablation is no point of the curve";
}

TEST(AccuracySection, MetricsAndVisibilitiesAreNeverInOnePlot) {
  ReportData data = data_of();
  for (size_t i = 0; i < 6; ++i) data.results.records[i].visibility = "agnostic";
  for (size_t i = 6; i < 12; ++i) data.results.records[i].metric = "qa_f1_score";
  data.cells = summarise(data.results, 1);
  const Contents contents = collect(data);
  std::set<std::string> names;
  for (const auto& figure : contents.figures()) {
    EXPECT_TRUE(names.insert(figure.name).second) << figure.name;
  }
  EXPECT_TRUE(names.contains("accuracy-niah-aware"));
  EXPECT_TRUE(names.contains("accuracy-niah-aware-2")) << "of the other metric";
  EXPECT_TRUE(names.contains("accuracy-niah-agnostic"));
}

TEST(DifferencesSection, HasBothComparisonsAndAreas) {
  expect_holds(section("differences", data_of()),
               {"-0.75", "score minus that of the full cache",
                "score minus that of random at the same budget", "Area under the curve"});
}

TEST(NeedlesSection, HasAMapForEachMethodAndBudget) {
  const Shown shown = section("needles", data_of());
  expect_holds(shown,
               {"data-choice=\"25%\"", "data-choice=\"50%\"", "needles per square: 1", "\"10%\"",
                "\"90%\"", "\"100\"", "\"200\"", "\"0.31\"", "\"0.19\"", "\"0.81\""});
  ReportData data = data_of();
  for (auto& record : data.results.records) record.depth = -1;
  EXPECT_TRUE(section("needles", data).html.empty());
}

TEST(FidelitySection, IsOverBytesWithIntervals) {
  expect_holds(section("fidelity", data_of()),
               {"MiB a prompt", "1 1.25 1.25 1.25", "2 0.5 0.5 0.5"});
  ReportData data = data_of();
  for (auto& cell : data.cells) cell.kl.reset();
  EXPECT_TRUE(section("fidelity", data).html.empty());
}

TEST(MasksSection, StandsBesideTheWholeModel) {
  expect_holds(section("masks", data_of()),
               {"without srh:2", "full cache, nothing silenced", "0.125 1 0.0625 0.1875"});
}

TEST(CostSection, HasBytesAndSeconds) {
  expect_holds(section("cost", data_of()), {"1.0 MiB", "2.0 MiB", "4.0 MiB", ">0.50<", ">40.0<"});
}

TEST(CostSection, ShowsVariantsThatRanAlone) {
  ReportData data = data_of();
  EXPECT_FALSE(section("cost", data).holds("One variant alone"));
  LatencyRecord record;
  record.task = "niah", record.method = "snapkv", record.budget = "25%", record.ttft_s = 0.375;
  record.tokens_per_s = 12.5, record.kept_bytes = 1048576;
  data.results.latency = {record, record};
  data.results.latency[1].ttft_s = 0.5;
  expect_holds(section("cost", data), {"One variant alone", "snapkv@25%", ">0.375<", ">0.500<",
                                       "tokens per s <b>12.5</b>"});
}

TEST(HeadsSection, MarksTheBest) {
  const Shown shown = section("heads", data_of());
  expect_holds(shown,
               {"srh:2 retrieval heads   (n = 2 prompts)", "set object rectangle", ">4.000<"});
  EXPECT_TRUE(section("heads", data_of({}, false)).html.empty());
}

TEST(LayersSection, HasErrorsAndBudgets) {
  expect_holds(section("layers", data_of()),
               {"0 0.1 0.1 0.1", "1 0.3 0.3 0.3", "niah: n = 10 steps", "budget 8 tokens",
                "0 9 9 9", "1 7 7 7"});
}

TEST(CellsSection, HasEveryFieldOfCell) {
  const Shown shown = section("cells", data_of());
  const std::string text = test::visible_text(shown.html);
  const auto look_for = [&](std::string name, const auto&) {
    if (name == "method" || name == "budget" || name == "mask") return;
    std::replace(name.begin(), name.end(), '_', ' ');
    if (name == "limit" || name == "parsed") return;  // empty in all rows
    EXPECT_NE(text.find(name), std::string::npos) << name;
  };
  const Cell cell;
  Cell::fields(cell, look_for);
  expect_holds(shown, {"snapkv@25%", "full without srh:2", "In all rows: ", "<b>4.0 MiB</b>"});
}

TEST(SamplesSection, ShowsTheWorstWithEveryPrediction) {
  ReportData data = data_of();
  data.samples_per_task = 1;
  for (auto& record : data.results.records) {
    if (record.sample == "needle2" && record.method == "snapkv") record.score = 0;
  }
  const Shown shown = section("samples", data);
  expect_holds(shown, {"<b>needle2</b>", "1 of 4 samples", "a blue door", "the blue door",
                       "snapkv@50%", "full without srh:2"});
  EXPECT_FALSE(shown.holds("needle0"));
  data.samples_per_task = 0;
  EXPECT_TRUE(section("samples", data).html.empty());
}

TEST(SamplesSection, HostilePredictionsAreReadAsText) {
  const auto names = test::hostile_names();
  const Shown shown = section("samples", data_of(names));
  const std::string text = test::visible_text(shown.html);
  EXPECT_NE(text.find("</td></table><script>alert(2)</script>"), std::string::npos);
  EXPECT_NE(text.find(names.sample), std::string::npos);
}

TEST(Page, IsWholeAndSaysWhatIsMissing) {
  ReportData data = data_of(test::hostile_names(), false);
  const Contents contents = collect(data);
  ASSERT_EQ(contents.notes.size(), 1u);
  EXPECT_EQ(contents.notes[0],
            "Without a profile (<code>--profile</code>) there are no head scores.");
  const std::string page = make_page(data, contents, [](const Figure& figure) {
    return fmt::format("<svg id=\"{}\"></svg>", figure.name);
  });
  EXPECT_EQ(test::markup_error(page), "");
  EXPECT_NE(test::visible_text(page).find("kv-eval '{{sections}}' <x>"), std::string::npos)
      << "a placeholder from outside is text";
  for (const auto& figure : contents.figures()) {
    EXPECT_NE(page.find("<svg id=\"" + figure.name + "\">"), std::string::npos) << figure.name;
  }
}

TEST(Page, FillsEachPlaceOnce) {
  EXPECT_EQ(fill("a {{x}} {{y}} {",
                 [](std::string_view name) { return "{{" + std::string(name) + "}}"; }),
            "a {{x}} {{y}} {");
}

TEST(Markdown, IsATableOfCells) {
  const std::string text = make_summary(data_of());
  for (const char* part :
       {"### KV-cache compression of tiny", "**niah, aware** (niah\\_rouge1\\_recall)",
        "| snapkv\\@25% | 25.0% | 1.0 MiB | 4 | 0.250 | [0.188, 0.312] | -0.750 | 1.250 |",
        "| full | 100.0% | 4.0 MiB | 4 | 1.000 | [1.000, 1.000] |  | 0.000 |",
        "weights `0123456789ab`"}) {
    EXPECT_NE(text.find(part), std::string::npos) << part << "\n" << text;
  }
  const std::string hostile = make_summary(data_of(test::hostile_names()));
  for (size_t at = hostile.find('<'); at != std::string::npos; at = hostile.find('<', at + 1)) {
    EXPECT_EQ(hostile.at(at - 1), '\\') << hostile.substr(at, 20);
  }
}

}  // namespace
}  // namespace kvcal::report
