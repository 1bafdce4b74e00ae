// SPDX-License-Identifier: Apache-2.0
#include "kvcal/profile/accuracy_plot.hpp"

#include <fmt/format.h>
#include <stdlib.h>  // NOLINT: popen is POSIX

#include <algorithm>
#include <cmath>
#include <cstdio>
#include <map>

#include "kvcal/compress/error.hpp"

namespace kvcal {
namespace {

/// Okabe and Ito's colours, told apart by colour-blind readers too.
constexpr const char* kColours[] = {"#0072B2", "#D55E00", "#009E73", "#CC79A7",
                                    "#E69F00", "#56B4E9", "#000000"};

struct Panel {
  std::vector<std::string> methods;  // in order of first appearance
  std::map<std::string, std::vector<Cell>> curves;
  double full_score = std::nan("");
};

std::string panel_title(const Cell& cell) {
  return cell.task + ", " + cell.visibility;
}

std::string escape(std::string text) {
  for (char& c : text) {
    if (c == '"' || c == '\\' || c == '\n') c = ' ';
  }
  return text;
}

std::vector<std::pair<std::string, Panel>> make_panels(const std::vector<Cell>& cells) {
  std::vector<std::pair<std::string, Panel>> panels;
  for (const auto& cell : cells) {
    const auto title = panel_title(cell);
    auto found =
        std::find_if(panels.begin(), panels.end(), [&](const auto& p) { return p.first == title; });
    if (found == panels.end()) found = panels.insert(panels.end(), {title, {}});
    auto& panel = found->second;
    if (!cell.mask.empty()) continue;  // an ablation, not a point of the curve
    if (cell.budget == "full") {
      panel.full_score = cell.score;
      continue;
    }
    if (cell.n == 0) continue;
    if (!panel.curves.contains(cell.method)) panel.methods.push_back(cell.method);
    panel.curves[cell.method].push_back(cell);
  }
  for (auto& [title, panel] : panels) {
    for (auto& [method, curve] : panel.curves) {
      std::sort(curve.begin(), curve.end(),
                [](const Cell& a, const Cell& b) { return a.budget_fraction < b.budget_fraction; });
    }
  }
  return panels;
}

std::string data_block(const std::string& name, const std::vector<Cell>& curve) {
  std::string text = fmt::format("${} << EOD\n", name);
  for (const auto& cell : curve) {
    // A single sample has no interval: its band is as high as the line.
    const double low = std::isnan(cell.ci_low) ? cell.score : cell.ci_low;
    const double high = std::isnan(cell.ci_high) ? cell.score : cell.ci_high;
    text += fmt::format("{} {} {} {}\n", 100 * cell.budget_fraction, cell.score, low, high);
  }
  return text + "EOD\n";
}

std::string draw_panel(const std::string& title, const Panel& panel, size_t index) {
  std::string data, bands, lines;
  for (size_t m = 0; m < panel.methods.size(); ++m) {
    const auto& method = panel.methods[m];
    const std::string name = fmt::format("p{}m{}", index, m);
    const char* colour = kColours[m % std::size(kColours)];
    data += data_block(name, panel.curves.at(method));
    bands += fmt::format("  ${} using 1:3:4 with filledcurves fillcolor rgb '{}' notitle, \\\n",
                         name, colour);
    lines += fmt::format(
        "  ${} using 1:2 with linespoints lw 2 pt 7 ps 0.6 lc rgb '{}' title \"{}\", \\\n", name,
        colour, escape(method));
  }
  std::string full = "  1/0 notitle\n";
  if (!std::isnan(panel.full_score)) {
    full = fmt::format("  {} with lines dashtype 2 lc rgb '#666666' title \"full cache\"\n",
                       panel.full_score);
  }
  return fmt::format("{}set title \"{}\" noenhanced\nplot \\\n{}{}{}", data, escape(title), bands,
                     lines, full);
}

FILE* open_gnuplot() {
  return popen("gnuplot 2>&1 >/dev/null", "w");
}

}  // namespace

void require_plot_format(const std::filesystem::path& file) {
  const auto extension = file.extension();
  require(extension == ".svg" || extension == ".png", Kind::config,
          "--plot {}: need a name that ends in .svg or .png", file.string());
  require(std::system("command -v gnuplot >/dev/null 2>&1") == 0, Kind::config,
          "--plot {}: gnuplot is not installed (Debian: gnuplot-nox)", file.string());
}

std::string accuracy_script(const std::vector<Cell>& cells, const std::filesystem::path& file) {
  const auto panels = make_panels(cells);
  const auto rows = static_cast<int64_t>(std::max<size_t>(1, panels.size()));
  const bool is_svg = file.extension() == ".svg";
  std::string text =
      is_svg ? fmt::format("set terminal svg size 760,{} font 'sans,13' background '#ffffff'\n",
                           400 * rows)
             : fmt::format("set terminal pngcairo size 1000,{} font 'sans,12'\n", 520 * rows);
  text += fmt::format("set output \"{}\"\n", escape(file.string()));
  text +=
      "set style fill transparent solid 0.15 noborder\nset grid ytics lc rgb '#dddddd'\nset border "
      "3\n"
      "set tics nomirror\nset key outside right top Left reverse noenhanced\n"
      "set logscale x 2\nset xlabel 'kept share of the KV cache (%, log scale)'\n"
      "set ylabel 'score'\nset yrange [0:1.02]\nset format x '%g'\n";
  text += fmt::format("set multiplot layout {},1\n", rows);
  for (size_t i = 0; i < panels.size(); ++i)
    text += draw_panel(panels[i].first, panels[i].second, i);
  return text + "unset multiplot\n";
}

void plot_accuracy(const std::vector<Cell>& cells, const std::filesystem::path& file) {
  require_plot_format(file);
  const bool has_curve = std::any_of(cells.begin(), cells.end(), [](const Cell& cell) {
    return cell.budget != "full" && cell.n > 0;
  });
  require(has_curve, Kind::config, "--plot {}: no compressed variant to draw", file.string());
  FILE* gnuplot = open_gnuplot();
  require(gnuplot != nullptr, Kind::config, "--plot {}: gnuplot cannot be started", file.string());
  const auto script = accuracy_script(cells, file);
  const size_t written = std::fwrite(script.data(), 1, script.size(), gnuplot);
  const int status = pclose(gnuplot);
  require(written == script.size() && status == 0 && std::filesystem::exists(file), Kind::input,
          "--plot {}: gnuplot could not write it", file.string());
}

}  // namespace kvcal
