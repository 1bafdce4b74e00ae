// SPDX-License-Identifier: Apache-2.0
#include "report/field_table.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>

#include "kvcal/profile/format.hpp"
#include "report/text/escape.hpp"

namespace kvcal::report {

std::string format_field(std::string_view name, double value) {
  if (std::isnan(value)) return "";
  if (name.ends_with("_bytes")) return format_bytes(value);
  if (name.ends_with("_fraction") || name.starts_with("share_")) {
    return fmt::format("{:.1f}%", 100 * value);
  }
  if (name.ends_with("_tokens")) return fmt::format("{:.0f}", value);
  if (name.find("_per_s") != name.npos || name.ends_with("_ms"))
    return fmt::format("{:.1f}", value);
  return fmt::format("{:.3f}", value);
}

FieldRow::FieldRow(std::string name, std::string series, std::span<const std::string_view> skipped)
    : name_(std::move(name)), series_(std::move(series)), skipped_(skipped) {}

void FieldRow::operator()(std::string_view name, const std::string& value) {
  add(name, {value, {}, ""});
}

void FieldRow::operator()(std::string_view name, bool value) {
  add(name, {value ? "yes" : "no", {}, ""});
}

void FieldRow::operator()(std::string_view name, double value) {
  add(name, {format_field(name, value), value, ""});
}

void FieldRow::operator()(std::string_view name, int64_t value) {
  add(name, {std::to_string(value), static_cast<double>(value), ""});
}

void FieldRow::operator()(std::string_view name, const std::optional<double>& value) {
  (*this)(name, value.value_or(std::nan("")));
}

void FieldRow::add(std::string_view name, TableCell value) {
  if (std::find(skipped_.begin(), skipped_.end(), name) != skipped_.end()) return;
  std::string column(name);
  std::replace(column.begin(), column.end(), '_', ' ');
  columns_.push_back(std::move(column)), values_.push_back(std::move(value));
}

std::string field_table(std::string_view heading, std::span<const FieldRow> rows) {
  const FieldRow& first = rows.front();
  std::vector<std::string> columns = {std::string(heading)};
  std::vector<size_t> shown;
  std::string said_once;
  for (size_t c = 0; c < first.columns_.size(); ++c) {
    const bool is_constant = std::all_of(rows.begin(), rows.end(), [&](const FieldRow& row) {
      return row.values_[c].text == first.values_[c].text;
    });
    if (rows.size() == 1 || !is_constant) {
      columns.push_back(first.columns_[c]);
      shown.push_back(c);
    } else if (!first.values_[c].text.empty()) {
      said_once += fmt::format("{}{} <b>{}</b>", said_once.empty() ? "In all rows: " : ", ",
                               escape_html(first.columns_[c]), escape_html(first.values_[c].text));
    }
  }
  HtmlTable table(columns, HtmlTable::Kind::sortable);
  for (const auto& row : rows) {
    std::vector<TableCell> cells = {{row.name_, {}, ""}};
    for (size_t c : shown) cells.push_back(row.values_[c]);
    table.add(std::move(cells), row.series_);
  }
  if (said_once.empty()) return table.html();
  return fmt::format("<p>{}.</p>\n{}", said_once, table.html());
}

}  // namespace kvcal::report
