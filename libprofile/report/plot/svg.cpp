// SPDX-License-Identifier: Apache-2.0
#include "report/plot/svg.hpp"

#include <fmt/format.h>

#include <charconv>
#include <fstream>
#include <iterator>
#include <vector>

#include "kvcal/compress/error.hpp"
#include "report/plot/theme.hpp"
#include "report/text/escape.hpp"

namespace kvcal::report {
namespace {

void replace_all(std::string& text, std::string_view from, std::string_view to) {
  for (size_t at = text.find(from); at != std::string::npos; at = text.find(from, at + to.size())) {
    text.replace(at, from.size(), to);
  }
}

/// Removes from `begin` to the end of `end`, where both are found.
void cut_between(std::string& text, std::string_view begin, std::string_view end) {
  const size_t first = text.find(begin);
  if (first == std::string::npos) return;
  const size_t last = text.find(end, first);
  if (last != std::string::npos) text.erase(first, last + end.size() - first);
}

/// gnuplot opens a group at every change of its pen, most of them for nothing.
std::string without_empty_groups(std::string_view svg) {
  std::vector<std::string_view> lines;
  while (!svg.empty()) {
    const size_t end = std::min(svg.find('\n'), svg.size() - 1);
    const std::string_view line = svg.substr(0, end + 1);
    svg.remove_prefix(end + 1);
    const bool closes = line == "</g>\n" && !lines.empty();
    if (closes && lines.back().starts_with("<g ") && lines.back().ends_with(">\n")) {
      lines.pop_back();
    } else if (line != "\n") {
      lines.push_back(line);
    }
  }
  std::string text;
  for (const auto line : lines) text += line;
  return text;
}

/// `<g id="gnuplot_plot_3" ><title>...</title>`: the third element that was plotted.
void name_series(std::string& svg, const Figure& figure) {
  for (size_t i = 0; i < figure.series.size(); ++i) {
    const std::string head = fmt::format("<g id=\"gnuplot_plot_{}\" >", i + 1);
    const size_t begin = svg.find(head);
    if (begin == std::string::npos) continue;
    const size_t end = svg.find("</title>", begin) + std::string_view("</title>").size();
    const std::string name = escape_html(printable(figure.series[i]));
    svg.replace(
        begin, end - begin,
        name.empty() ? "<g>" : fmt::format("<g data-series=\"{0}\"><title>{0}</title>", name));
  }
}

/// Colours come as `rgb(  0, 114, 178)`, with or without spaces, and as `#FFFFFF`.
std::string with_variables(std::string_view svg) {
  std::string text;
  const auto variable = [](uint32_t rgb) -> std::string {
    const std::string light = fmt::format("#{:06x}", rgb);
    for (const Colour* colour : page_colours()) {
      if (colour->light == light) return fmt::format("var(--{})", colour->name);
    }
    return light;
  };
  for (size_t at = svg.find("rgb("); at != std::string_view::npos; at = svg.find("rgb(")) {
    text += svg.substr(0, at);
    const char* place = svg.data() + at + 4;
    const char* const end = svg.data() + svg.size();
    uint32_t rgb = 0;
    for (int channel = 0; channel < 3; ++channel) {
      while (place < end && (*place == ' ' || *place == ',')) ++place;
      uint32_t value = 0;
      place = std::from_chars(place, end, value).ptr;
      rgb = rgb << 8 | value;
    }
    text += variable(rgb);
    svg.remove_prefix(static_cast<size_t>(place - svg.data()) + 1);  // and the bracket
  }
  return text + std::string(svg);
}

}  // namespace

std::string tidy_svg(std::string_view gnuplot_output, const Figure& figure) {
  std::string svg = without_empty_groups(gnuplot_output);
  cut_between(svg, "\t<filter id='textbox'", "</filter>\n");
  cut_between(svg, "\t<filter id='greybox'", "</filter>\n");
  cut_between(svg, "<desc>", "</desc>\n");
  name_series(svg, figure);
  replace_all(svg, "<title>Gnuplot</title>",
              fmt::format("<title>{}</title>", escape_html(printable(figure.alt))));
  return svg;
}

void tidy_svg_file(const std::filesystem::path& file, const Figure& figure) {
  std::ifstream stream(file, std::ios::binary);
  const std::string text{std::istreambuf_iterator<char>(stream), {}};
  stream.close();
  std::ofstream tidied(file, std::ios::binary);
  tidied << tidy_svg(text, figure);
  tidied.close();
  require(tidied.good(), Kind::input, "{}: cannot write", file.string());
}

std::string inline_svg(std::string_view tidied, const Figure& figure) {
  std::string svg = with_variables(tidied.substr(std::min(tidied.find("<svg"), tidied.size())));
  // The tooltip of the whole would cover those of the series; its words are the label.
  cut_between(svg, "<title>", "</title>\n");
  cut_between(svg, "<rect x=\"0\" y=\"0\"", "/>\n");
  const size_t head = svg.find('>');
  require(head != std::string::npos, Kind::internal, "plot '{}': gnuplot wrote no svg",
          figure.name);
  svg.replace(0, head,
              fmt::format("<svg viewBox=\"0 0 {} {}\" role=\"img\" aria-label=\"{}\"", figure.width,
                          figure.height, escape_html(printable(figure.alt))));
  for (const char* quote : {"'", "\""}) {
    replace_all(svg, fmt::format(" id={}", quote), fmt::format(" id={}{}-", quote, figure.name));
    replace_all(svg, fmt::format("xlink:href={}#", quote),
                fmt::format("href={}#{}-", quote, figure.name));
  }
  replace_all(svg, "\"black\"", "\"var(--ink)\"");
  replace_all(svg, "'black'", "'var(--ink)'");
  return svg;
}

}  // namespace kvcal::report
