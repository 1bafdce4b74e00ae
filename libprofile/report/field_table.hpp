// SPDX-License-Identifier: Apache-2.0
// Tables made from the `fields` lists of structs: a field that is added to a struct appears by
// itself, formatted by the unit that its name ends in.
#pragma once

#include <cstdint>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "report/html.hpp"

namespace kvcal::report {

/// "12.3 MiB" for `kept_bytes`, "9.9%" for `budget_fraction`, ...; empty for NaN.
std::string format_field(std::string_view name, double value);

/// One row; a visitor of `fields`.
class FieldRow {
 public:
  /// @param series  the method, for highlighting
  /// @param skipped  fields that the row's name says already
  FieldRow(std::string name, std::string series, std::span<const std::string_view> skipped);

  void operator()(std::string_view name, const std::string& value);
  void operator()(std::string_view name, bool value);
  void operator()(std::string_view name, double value);
  void operator()(std::string_view name, int64_t value);
  void operator()(std::string_view name, const std::optional<double>& value);

 private:
  friend std::string field_table(std::string_view, std::span<const FieldRow>);
  void add(std::string_view name, TableCell value);

  std::string name_, series_;
  std::span<const std::string_view> skipped_;
  std::vector<std::string> columns_;
  std::vector<TableCell> values_;
};

/// HTML: a sortable table; what is the same in all rows is said once, above it.
/// @param heading  of the rows' names; rows not empty, all of one struct
std::string field_table(std::string_view heading, std::span<const FieldRow> rows);

}  // namespace kvcal::report
