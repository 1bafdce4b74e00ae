// SPDX-License-Identifier: Apache-2.0
#include "report/page.hpp"

#include <fmt/format.h>
#include <fmt/ranges.h>

#include <algorithm>
#include <map>
#include <set>

#include "kvcal/compress/error.hpp"
#include "kvcal/profile/format.hpp"
#include "report/page_files.hpp"
#include "report/panel.hpp"
#include "report/text/escape.hpp"

namespace kvcal::report {
namespace {

/// `--name:#rrggbb;` of all colours.
std::string declare(std::string_view Colour::*value) {
  std::string text;
  for (const Colour* colour : page_colours()) {
    text += fmt::format("--{}:{};", colour->name, colour->*value);
  }
  return text;
}

/// Paper is white, whatever the screen is.
std::string colours() {
  return fmt::format(
      ":root{{color-scheme:light dark;{}}}\n@media screen and "
      "(prefers-color-scheme:dark){{:root{{{}}}}}",
      declare(&Colour::light), declare(&Colour::dark));
}

template <class Row>
std::string distinct(const std::vector<Row>& rows,
                     const std::function<std::string(const Row&)>& text) {
  std::vector<std::string> found;
  for (const auto& row : rows) {
    const std::string value = text(row);
    if (!value.empty() && std::find(found.begin(), found.end(), value) == found.end()) {
      found.push_back(value);
    }
  }
  return fmt::format("{}", fmt::join(found, ", "));
}

std::string of_sources(const ReportData& data, std::string Provenance::*field) {
  return distinct<Source>(data.sources, [&](const Source& s) { return s.provenance.*field; });
}

std::string days_of(const ReportData& data) {
  return distinct<Source>(data.sources,
                          [](const Source& s) { return s.provenance.created_utc.substr(0, 10); });
}

/// Of the longest prompts' cells: what a budget saves is saved of this.
std::string full_cache(const ReportData& data) {
  double most = 0;
  for (const auto& cell : data.cells) most = std::max(most, cell.full_bytes);
  return format_bytes(most);
}

std::string facts(const ReportData& data) {
  std::set<std::string> samples, variants;
  for (const auto& r : data.results.records) {
    samples.insert(r.task + "/" + r.metric + "/" + r.sample);
    variants.insert(variant_name(r) + "/" + r.visibility);
  }
  const std::vector<std::pair<std::string, std::string>> all = {
      {"tasks", tasks_of(data)},
      {"samples", std::to_string(samples.size())},
      {"variants", std::to_string(variants.size())},
      {"full cache (mean, largest task)", full_cache(data)},
      {"computed in", fmt::format("{} on {}", of_sources(data, &Provenance::dtype),
                                  of_sources(data, &Provenance::device))},
      {"run", days_of(data)}};
  std::string html = "<dl class=\"glance\">\n";
  for (const auto& [name, value] : all) {
    if (value.empty()) continue;
    html += fmt::format("<div><dt>{}</dt><dd>{}</dd></div>\n", name, escape_html(value));
  }
  return html + "</dl>";
}

std::string navigation(const Contents& contents) {
  std::string html;
  for (const auto& [info, section] : contents.entries) {
    html += fmt::format("<a href=\"#{}\">{}</a>\n", info->name, info->title);
  }
  return html;
}

std::string figure_html(const Figure& figure, const std::string& svg) {
  return fmt::format(
      "<figure style=\"--width:{0}px\"><div class=\"plot\">{1}</div>"
      "<figcaption><a href=\"plots/{2}.svg\">SVG</a> <a href=\"plots/{2}.png\">PNG</a></figcaption>"
      "</figure>\n",
      figure.width, svg, figure.name);
}

std::string sections(const Contents& contents,
                     const std::function<std::string(const Figure&)>& svg_of) {
  std::string html;
  for (const auto& [info, section] : contents.entries) {
    html += fmt::format("<section id=\"{}\">\n<h2>{}</h2>\n<p class=\"lead\">{}</p>\n", info->name,
                        info->title, info->lead);
    for (const auto& part : section.parts) {
      const auto* figure = std::get_if<Figure>(&part);
      html +=
          figure != nullptr ? figure_html(*figure, svg_of(*figure)) : std::get<std::string>(part);
    }
    html += "</section>\n";
  }
  return html;
}

std::string notes(const Contents& contents) {
  std::string html;
  for (const auto& note : contents.notes) html += fmt::format("<p>{}</p>\n", note);
  return html;
}

void make_names_unique(Section& section, std::map<std::string, int>& uses) {
  for (auto& part : section.parts) {
    auto* figure = std::get_if<Figure>(&part);
    if (figure == nullptr) continue;
    const int use = ++uses[figure->name];
    if (use > 1) figure->name += fmt::format("-{}", use);
  }
}

}  // namespace

std::string tasks_of(const ReportData& data) {
  return distinct<Cell>(data.cells, [](const Cell& cell) { return cell.task; });
}

std::vector<Figure> Contents::figures() const {
  std::vector<Figure> figures;
  for (const auto& entry : entries) {
    for (const auto& part : entry.section.parts) {
      if (const auto* figure = std::get_if<Figure>(&part)) figures.push_back(*figure);
    }
  }
  return figures;
}

Contents collect(const ReportData& data) {
  std::vector<const SectionInfo*> infos(section_table().begin(), section_table().end());
  std::stable_sort(infos.begin(), infos.end(),
                   [](const SectionInfo* a, const SectionInfo* b) { return a->order < b->order; });
  Contents contents;
  std::map<std::string, int> uses;
  for (const SectionInfo* info : infos) {
    Section section = info->make(data);
    if (section.is_empty()) {
      if (!info->absent.empty()) contents.notes.emplace_back(info->absent);
      continue;
    }
    make_names_unique(section, uses);
    contents.entries.push_back({info, std::move(section)});
  }
  return contents;
}

std::string fill(std::string_view text,
                 const std::function<std::string(std::string_view)>& value_of) {
  std::string filled;
  while (true) {
    const size_t begin = text.find("{{");
    const size_t end = begin == std::string_view::npos ? begin : text.find("}}", begin);
    if (end == std::string_view::npos) return filled + std::string(text);
    filled += text.substr(0, begin);
    filled += value_of(text.substr(begin + 2, end - begin - 2));
    text.remove_prefix(end + 2);
  }
}

std::string make_page(const ReportData& data, const Contents& contents,
                      const std::function<std::string(const Figure&)>& svg_of) {
  const std::string model =
      data.results.model.name.empty() ? "unnamed model" : data.results.model.name;
  const std::map<std::string_view, std::string> values = {
      {"title", escape_html(fmt::format("{}: KV-cache compression", model))},
      {"heading", escape_html(model)},
      {"generator", fmt::format("kv-report {} ({})", tool_version(), tool_commit())},
      {"colours", colours()},
      {"style", std::string(kPageStyle)},
      {"script", std::string(kPageScript)},
      {"facts", facts(data)},
      {"navigation", navigation(contents)},
      {"sections", sections(contents, svg_of)},
      {"notes", notes(contents)},
      {"files", escape_html(distinct<Source>(data.sources,
                                             [](const Source& s) { return s.file.string(); }))}};
  return fill(kPageSkeleton, [&](std::string_view name) {
    const auto value = values.find(name);
    require(value != values.end(), Kind::internal, "page.html: nothing is known as '{}'", name);
    return value->second;
  });
}

}  // namespace kvcal::report
