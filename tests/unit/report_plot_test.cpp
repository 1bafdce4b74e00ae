// SPDX-License-Identifier: Apache-2.0
#include <gtest/gtest.h>

#include <cmath>
#include <fstream>
#include <set>

#include "report/plot/curves.hpp"
#include "report/plot/dots.hpp"
#include "report/plot/gnuplot.hpp"
#include "report/plot/heatmap.hpp"
#include "report/plot/labels.hpp"
#include "report/plot/svg.hpp"
#include "support/errors.hpp"
#include "support/files.hpp"
#include "support/markup.hpp"
#include "support/paths.hpp"
#include "support/report_case.hpp"

namespace kvcal::report {
namespace {

namespace fs = std::filesystem;

bool has_gnuplot() {
  return std::system("command -v gnuplot >/dev/null 2>&1") == 0;
}

#define KVCAL_SKIP_WITHOUT_GNUPLOT() \
  if (!has_gnuplot()) GTEST_SKIP() << "gnuplot is not there"

using test::bytes_of;

bool holds(const std::string& text, const std::string& part) {
  return text.find(part) != std::string::npos;
}

CurveChart two_curves(const std::string& name) {
  CurveChart chart;
  chart.name = "two", chart.alt = "two curves of " + name, chart.title = name;
  chart.x_label = "share", chart.y_label = name;
  chart.reference = {"full cache", 0.9};
  const StyleBook styles(std::vector<std::string>{name, "other"});
  chart.curves = {{name, styles.of(name), {{5, 0.25, 0.125, 0.375}, {10, 0.5, 0.375, 0.75}}},
                  {"other", styles.of("other"), {{5, 0.125}, {10, 0.25}}}};
  return chart;
}

TEST(StyleBook, ASeriesLooksTheSameAndNoTwoLookAlike) {
  std::vector<std::string> names = {"full", "random"};
  for (int i = 0; i < 20; ++i) names.push_back("m" + std::to_string(i));
  const StyleBook styles(names);
  std::set<std::tuple<std::string_view, int, int>> looks;
  for (const auto& name : names) {
    const Style style = styles.of(name);
    EXPECT_TRUE(looks.insert({style.colour->name, style.point, style.dash}).second) << name;
  }
  EXPECT_EQ(StyleBook(std::vector<std::string>{"m0"}).of("m0").colour, styles.of("m0").colour)
      << "controls take no colour";
}

TEST(Shade, GoesFromDarkToLightWithReadableInk) {
  EXPECT_EQ(shade(0), "#440154");
  EXPECT_EQ(shade(1), "#fde725");
  EXPECT_EQ(shade(-1), shade(0));
  EXPECT_NE(shade(0.5), shade(0.51));
  EXPECT_EQ(ink_on_shade(0), "#fdfdfd");
  EXPECT_EQ(ink_on_shade(1), "#101010");
}

TEST(Curves, LabelsNeverTouchAndKeepTheirOrder) {
  const auto places = spread_labels({50, 52, 51, 200, 0, 1}, 16, 300);
  const std::vector<size_t> order = {4, 5, 0, 2, 1, 3};
  for (size_t i = 1; i < order.size(); ++i) {
    EXPECT_GE(places[order[i]] - places[order[i - 1]], 16 - 1e-9);
  }
  EXPECT_EQ(places[3], 200) << "one that has room stays where it wants to be";
  EXPECT_GE(places[4], 0);
  EXPECT_EQ(spread_labels({290, 300, 300}, 16, 300).back(), 300) << "inside the room";
  EXPECT_TRUE(spread_labels({}, 16, 300).empty());
}

TEST(Curves, TicksAreRoundNumbers) {
  EXPECT_EQ(round_ticks(0.9, 60), (std::vector<double>{1, 2, 5, 10, 20, 50}));
  EXPECT_EQ(round_ticks(4.5, 21), (std::vector<double>{5, 6, 8, 10, 15, 20}));
  EXPECT_EQ(round_ticks(7, 7.5), (std::vector<double>{7, 7.5})) << "none between: the ends";
}

TEST(Curves, TheScriptHoldsEveryNumberAndNoInterval) {
  const Figure figure = draw_curves(two_curves("a")).value();
  for (const char* row : {"5 0.25 0.125 0.375", "10 0.5 0.375 0.75", "5 0.125 0.125 0.125"}) {
    EXPECT_TRUE(holds(figure.script, row)) << row;
  }
  EXPECT_TRUE(holds(figure.script, "[0:1.02]")) << "a scale of scores starts at 0";
  const std::vector<std::string> series = {"a",     "other", "full cache", "a",
                                           "other", "a",     "other",      "full cache"};
  EXPECT_EQ(figure.series, series);
}

TEST(Curves, ALogarithmicAxisShowsNoZero) {
  CurveChart chart = two_curves("a");
  chart.reference.reset();
  chart.y_scale = Scale::log;
  chart.curves[1].points = {{5, 0}, {10, 0}};
  const Figure figure = draw_curves(chart).value();
  EXPECT_FALSE(holds(figure.script, "other"));
  EXPECT_TRUE(holds(figure.script, "set logscale y"));
  chart.curves[0].points = {{5, 0}};
  EXPECT_FALSE(draw_curves(chart)) << "nothing is left to draw";
}

TEST(Gnuplot, ItsReasonIsQuoted) {
  KVCAL_SKIP_WITHOUT_GNUPLOT();
  test::expect_error(Kind::input, "plot x: gnuplot failed: undefined variable: nothing",
                     [] { run_gnuplot("print 1\nprint nothing\n", "plot x"); });
}

TEST(Gnuplot, HostileNamesAreDrawnAndNotRun) {
  KVCAL_SKIP_WITHOUT_GNUPLOT();
  const fs::path folder = test::scratch_dir() / "it's a folder";
  fs::create_directories(folder);
  const fs::path trap = folder / "pwned";
  const std::string name =
      "'100%s `touch \"" + trap.string() + "\"` '<&>\" " + test::hostile_names().method;
  std::vector<Figure> figures = {draw_curves(two_curves(name)).value()};
  figures.push_back(*draw_dots({.name = "dots",
                                .alt = name,
                                .title = name,
                                .x_label = name,
                                .reference = 0.5,
                                .rows = {{name, name, {}, 0.25, 0.125, 0.5}}}));
  HeatmapChart map{.name = "map",
                   .alt = name,
                   .row_label = name,
                   .column_label = name,
                   .scale_label = name,
                   .rows = {name},
                   .columns = {name, "b"},
                   .maps = {{name, name, {0.25, std::nan("")}, {true, false}}}};
  figures.push_back(draw_heatmaps(map));
  draw_figures(figures, folder);
  EXPECT_FALSE(fs::exists(trap)) << "a backquoted name was run";
  std::string all;
  for (const auto& figure : figures) {
    const std::string svg = bytes_of(folder / (figure.name + ".svg"));
    EXPECT_EQ(test::markup_error(svg), "") << figure.name;
    EXPECT_TRUE(holds(svg, "`touch")) << figure.name << " shows the name";
    EXPECT_TRUE(holds(svg, "100%s")) << figure.name << " takes no name for a format";
    EXPECT_GT(fs::file_size(folder / (figure.name + ".png")), 1000u);
    all += inline_svg(svg, figure);
  }
  EXPECT_EQ(test::markup_error(all), "") << "ids are unique over figures";
}

TEST(Svg, ColoursOfThePageBecomeVariables) {
  KVCAL_SKIP_WITHOUT_GNUPLOT();
  const fs::path file = test::scratch_dir() / "two.svg";
  const Figure figure = draw_curves(two_curves("a")).value();
  draw_figure(figure, file);
  const std::string svg = bytes_of(file);
  EXPECT_TRUE(holds(svg, "#ffffff")) << "the file has its own background";
  const std::string inside = inline_svg(svg, figure);
  for (const char* part :
       {"var(--blue)", "var(--vermilion)", "var(--ink)", "var(--quiet)", "var(--grid)",
        "data-series=\"a\"><title>a</title>", "viewBox=\"0 0 ", "aria-label=\"two curves of a\""}) {
    EXPECT_TRUE(holds(inside, part)) << part;
  }
  for (const char* part :
       {"rgb(", "<?xml", "<rect x=\"0\"", "'black'", "\"black\"", "gnuplot_plot_1\""}) {
    EXPECT_FALSE(holds(inside, part)) << part;
  }
}

TEST(Heatmap, EverySquareHasItsNumberAndPlace) {
  HeatmapChart chart{.name = "m",
                     .alt = "m",
                     .row_label = "depth",
                     .column_label = "length",
                     .scale_label = "score",
                     .rows = {"10%", "90%"},
                     .columns = {"100", "200"},
                     .maps = {{"snapkv", "snapkv", {0, 0.25, 0.5, std::nan("")}, {}}}};
  const std::string script = draw_heatmaps(chart).script;
  for (const char* part : {"\"0.00\"", "\"0.25\"", "\"0.50\"", "\"10%\"", "\"90%\"", "\"100\"",
                           "\"200\"", "\"snapkv\"", "0x440154"}) {
    EXPECT_TRUE(holds(script, part)) << part;
  }
  EXPECT_FALSE(holds(script, "nan")) << "a place without a needle stays empty";
}

}  // namespace
}  // namespace kvcal::report
