// SPDX-License-Identifier: Apache-2.0
#include "report/html.hpp"

#include <fmt/format.h>

#include <cmath>

#include "report/text/escape.hpp"

namespace kvcal::report {
namespace {

std::string cell_html(const TableCell& cell, bool is_first) {
  const char* tag = is_first ? "th scope=\"row\"" : "td";
  std::string html = fmt::format("<{}", tag);
  if (cell.number) html += " class=\"number\"";
  if (cell.number && std::isfinite(*cell.number)) {
    html += fmt::format(" data-value=\"{:.10g}\"", *cell.number);
  }
  html += fmt::format(">{}", escape_html(cell.text));
  if (!cell.below.empty()) html += fmt::format("<small>{}</small>", escape_html(cell.below));
  return html + (is_first ? "</th>" : "</td>");
}

}  // namespace

std::string heading(std::string_view title, std::string_view addition) {
  const std::string quiet =
      addition.empty() ? "" : fmt::format(" <small>{}</small>", escape_html(addition));
  return fmt::format("<h3>{}{}</h3>\n", escape_html(title), quiet);
}

HtmlTable::HtmlTable(std::vector<std::string> columns, Kind kind)
    : columns_(std::move(columns)), kind_(kind) {}

void HtmlTable::add(std::vector<TableCell> cells, std::string series) {
  cells.resize(columns_.size());
  rows_.push_back({std::move(cells), std::move(series)});
}

std::string HtmlTable::html() const {
  std::string html = fmt::format("<div class=\"scroll\" tabindex=\"0\"><table{}>\n<thead><tr>",
                                 kind_ == Kind::sortable ? " class=\"sortable\"" : "");
  for (size_t c = 0; c < columns_.size(); ++c) {
    const bool is_number = !rows_.empty() && rows_.front().cells[c].number;
    html += fmt::format("<th scope=\"col\"{}>{}</th>", is_number ? " class=\"number\"" : "",
                        escape_html(columns_[c]));
  }
  html += "</tr></thead>\n<tbody>\n";
  for (const auto& row : rows_) {
    html += row.series.empty()
                ? "<tr>"
                : fmt::format("<tr data-series=\"{}\">", escape_html(printable(row.series)));
    for (size_t c = 0; c < row.cells.size(); ++c) html += cell_html(row.cells[c], c == 0);
    html += "</tr>\n";
  }
  return html + "</tbody>\n</table></div>\n";
}

}  // namespace kvcal::report
