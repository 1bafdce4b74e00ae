// SPDX-License-Identifier: Apache-2.0
// Every field of Provenance and ModelIdentity, of each file.
#include <fmt/format.h>

#include "report/html.hpp"
#include "report/section.hpp"
#include "report/text/escape.hpp"

namespace kvcal {
namespace {

using namespace report;

/// A field list as a description list; texts of several lines are folded away.
struct FieldList {
  std::string html;

  void operator()(std::string_view name, const std::string& value) {
    if (value.empty()) return;
    const bool is_long = value.find('\n') != std::string::npos;
    add(name, is_long
                  ? fmt::format("<details><summary>{} lines</summary><pre>{}</pre></details>",
                                std::count(value.begin(), value.end(), '\n'), escape_html(value))
                  : fmt::format("<code>{}</code>", escape_html(value)));
  }
  template <class Number>
  requires std::is_arithmetic_v<Number>
  void operator()(std::string_view name, Number value) { (*this)(name, fmt::format("{}", value)); }
  void add(std::string_view name, const std::string& value) {
    html += fmt::format("<dt>{}</dt><dd>{}</dd>\n", escape_html(name), value);
  }
  std::string list() const { return "<dl class=\"facts\">\n" + html + "</dl>\n"; }
};

std::string describe(const Provenance& provenance, FieldList list = {}) {
  Provenance::fields(provenance, list);
  return list.list();
}

std::string describe_source(const Source& source) {
  FieldList list;
  list("file_sha256", source.sha256);
  list("records", source.records);
  return heading("Results " + source.file.string()) + describe(source.provenance, std::move(list));
}

std::string describe_profile(const ReportData& data) {
  FieldList list;
  list("file_sha256", data.profile_sha256);
  std::string html = heading("Profile " + data.profile_file.string()) +
                     describe(data.profile->provenance, std::move(list));
  for (const auto& stage : data.profile->history) {
    html += fmt::format("<h4>before that</h4>\n{}", describe(stage));
  }
  return html;
}

Section make(const ReportData& data) {
  Section section;
  FieldList model;
  ModelIdentity::fields(data.results.model, model);
  section.add(heading("Model") + model.list());
  for (const auto& source : data.sources) section.add(describe_source(source));
  if (data.profile) section.add(describe_profile(data));
  return section;
}

}  // namespace

extern const SectionInfo section_provenance = {
    "provenance",
    110,
    "How this was made",
    "What the files say of themselves: the command lines to run again, and hashes to tell whether "
    "it was "
    "the same model.",
    "",
    make};

}  // namespace kvcal
