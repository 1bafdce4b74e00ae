// SPDX-License-Identifier: Apache-2.0
// Every column of Cell::fields: a field that is added there appears here without an edit.
#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <cmath>

#include "kvcal/profile/format.hpp"
#include "report/html.hpp"
#include "report/section.hpp"
#include "report/text/escape.hpp"

namespace kvcal {
namespace {

using namespace report;

/// The unit is in the name of a field, as everywhere.
std::string format_number(std::string_view name, double value) {
  if (std::isnan(value)) return "";
  if (name.ends_with("_bytes")) return format_bytes(value);
  if (name.ends_with("_fraction")) return fmt::format("{:.1f}%", 100 * value);
  if (name.ends_with("_tokens")) return fmt::format("{:.0f}", value);
  if (name.ends_with("_per_s")) return fmt::format("{:.1f}", value);
  return fmt::format("{:.3f}", value);
}

/// What variant_name() says already, in the first column.
constexpr std::array<std::string_view, 3> kInVariant{"method", "budget", "mask"};

struct CellFields {
  std::vector<std::string> names;
  std::vector<TableCell> values;

  void operator()(const char* name, const std::string& value) { add(name, {value, {}, ""}); }
  void operator()(const char* name, bool value) { add(name, {value ? "yes" : "no", {}, ""}); }
  void operator()(const char* name, double value) {
    add(name, {format_number(name, value), value, ""});
  }
  void operator()(const char* name, int64_t value) {
    add(name, {std::to_string(value), static_cast<double>(value), ""});
  }
  void operator()(const char* name, const std::optional<double>& value) {
    (*this)(name, value.value_or(std::nan("")));
  }
  void add(std::string name, TableCell value) {
    if (std::find(kInVariant.begin(), kInVariant.end(), name) != kInVariant.end()) return;
    std::replace(name.begin(), name.end(), '_', ' ');
    names.push_back(std::move(name)), values.push_back(std::move(value));
  }
};

CellFields fields_of(const Cell& cell) {
  CellFields fields;
  Cell::fields(cell, fields);
  return fields;
}

/// What is the same in all rows is said once, above.
std::vector<bool> differing(const std::vector<CellFields>& rows) {
  std::vector<bool> differs(rows.front().names.size(), rows.size() == 1);
  for (const auto& row : rows) {
    for (size_t c = 0; c < differs.size(); ++c) {
      if (row.values[c].text != rows.front().values[c].text) differs[c] = true;
    }
  }
  return differs;
}

std::string said_once(const CellFields& row, const std::vector<bool>& differs) {
  std::string text;
  for (size_t c = 0; c < differs.size(); ++c) {
    if (differs[c] || row.values[c].text.empty()) continue;
    text += fmt::format("{}{} <b>{}</b>", text.empty() ? "In all rows: " : ", ",
                        escape_html(row.names[c]), escape_html(row.values[c].text));
  }
  return text.empty() ? "" : "<p>" + text + ".</p>\n";
}

Section make(const ReportData& data) {
  Section section;
  if (data.cells.empty()) return section;
  std::vector<CellFields> rows;
  for (const auto& cell : data.cells) rows.push_back(fields_of(cell));
  const auto differs = differing(rows);
  const auto pick = [&](const auto& values) {
    std::remove_cvref_t<decltype(values)> picked;
    for (size_t c = 0; c < values.size(); ++c) {
      if (differs[c]) picked.push_back(values[c]);
    }
    return picked;
  };
  // The variant is what people look for: it leads, whatever the order of the fields.
  auto columns = pick(rows.front().names);
  columns.insert(columns.begin(), "variant");
  HtmlTable table(columns, HtmlTable::Kind::sortable);
  for (size_t i = 0; i < rows.size(); ++i) {
    auto values = pick(rows[i].values);
    values.insert(values.begin(), {variant_name(data.cells[i]), {}, ""});
    table.add(values, data.cells[i].method);
  }
  section.add(said_once(rows.front(), differs) + table.html());
  return section;
}

}  // namespace

extern const SectionInfo section_cells = {
    "cells",
    90,
    "All cells",
    "One row for each task, metric, visibility, method, budget and mask; a click on a heading sorts. "
    "Columns that hold the same in every row are left out and said above it.",
    "",
    make};

}  // namespace kvcal
