// SPDX-License-Identifier: Apache-2.0
#include "report/plot/figure.hpp"

#include <fmt/format.h>

#include <algorithm>

#include "kvcal/compress/error.hpp"
#include "report/plot/gnuplot.hpp"
#include "report/plot/svg.hpp"
#include "report/plot/theme.hpp"

namespace kvcal::report {
namespace {

namespace fs = std::filesystem;

constexpr int kPngScale = 2;  // for dense screens and print

std::string terminal(const Figure& figure, const fs::path& file) {
  if (file.extension() == ".svg") {
    return fmt::format(
        "set terminal svg size {},{} font 'sans-serif,13' noenhanced background '{}'\n",
        figure.width, figure.height, kPaper.light);
  }
  return fmt::format(
      "set terminal pngcairo size {},{} font 'sans,10' fontscale {} linewidth {} pointscale {} "
      "noenhanced background '{}'\n",
      kPngScale * figure.width, kPngScale * figure.height, kPngScale, kPngScale, kPngScale,
      kPaper.light);
}

void require_written(const Figure& figure, const fs::path& file) {
  require(fs::exists(file), Kind::input, "{}: gnuplot could not write the plot '{}'", file.string(),
          figure.name);
  if (file.extension() == ".svg") tidy_svg_file(file, figure);
}

}  // namespace

std::string figure_script(const Figure& figure, const fs::path& file) {
  return fmt::format("set encoding utf8\n{}set output {}\n{}unset output\n", terminal(figure, file),
                     gnuplot_text(file.string()), figure.script);
}

void draw_figure(const Figure& figure, const fs::path& file) {
  run_gnuplot(figure_script(figure, file), file.string());
  require_written(figure, file);
}

void draw_figures(std::span<const Figure> figures, const fs::path& folder) {
  std::string script;
  for (const auto& figure : figures) {
    for (const char* extension : {".svg", ".png"}) {
      script += figure_script(figure, folder / (figure.name + extension));
    }
  }
  run_gnuplot(script, folder.string());
  for (const auto& figure : figures) {
    for (const char* extension : {".svg", ".png"}) {
      require_written(figure, folder / (figure.name + extension));
    }
  }
}

Figure stack(std::span<const Figure> figures) {
  if (figures.size() == 1) return figures.front();
  Figure all;
  all.script = fmt::format("set multiplot layout {},1\n", figures.size());
  for (const auto& figure : figures) {
    all.name = figures.front().name;
    if (!all.alt.empty()) all.alt += ", ";
    all.alt += figure.alt;
    all.width = std::max(all.width, figure.width);
    all.height += figure.height;
    all.script += figure.script;
    all.series.insert(all.series.end(), figure.series.begin(), figure.series.end());
  }
  all.script += "unset multiplot\n";
  return all;
}

std::string chart_preface() {
  return fmt::format(
      "reset\nset border 3 lc rgb '{0}' lw 1\nset tics nomirror out scale 0.5 textcolor rgb '{0}'\n"
      "set grid ytics lt 1 lw 1 lc rgb '{1}'\nset style fill transparent solid 0.13 noborder\n"
      "set errorbars 0\nunset key\n",
      kQuiet.light, kGrid.light);
}

}  // namespace kvcal::report
