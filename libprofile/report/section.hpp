// SPDX-License-Identifier: Apache-2.0
// Section: one part of the report's page. One file each in sections/, found by the build as metrics
// are. A section makes HTML and figures from the data; it draws and writes nothing itself.
#pragma once

#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <variant>
#include <vector>

#include "report/plot/figure.hpp"
#include "report/report_data.hpp"

namespace kvcal::report {

struct Section {
  /// In order; a string is HTML, escaped where it has to be.
  std::vector<std::variant<std::string, Figure>> parts;

  void add(std::string html);
  void add(std::optional<Figure> figure);  ///< nothing for nullopt
  bool is_empty() const { return parts.empty(); }
};

}  // namespace kvcal::report

namespace kvcal {

struct SectionInfo {
  std::string_view name;  ///< anchor
  int order;              ///< on the page, ascending
  std::string_view title;
  std::string_view lead;  ///< HTML: what to read, and how; one or two sentences
  /// Said once at the end of the page when make() gives nothing; empty: left out without a word.
  std::string_view absent;
  report::Section (*make)(const report::ReportData& data);
};

std::span<const SectionInfo* const> section_table();

}  // namespace kvcal
