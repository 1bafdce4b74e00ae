// SPDX-License-Identifier: Apache-2.0
#include <array>

#include "report/field_table.hpp"
#include "report/section.hpp"

namespace kvcal {
namespace {

using namespace report;

/// What variant_name() says.
constexpr std::array<std::string_view, 3> kInVariant{"method", "budget", "mask"};

Section make(const ReportData& data) {
  Section section;
  std::vector<FieldRow> rows;
  for (const auto& cell : data.cells) {
    FieldRow row(variant_name(cell), cell.method, kInVariant);
    Cell::fields(cell, row);
    rows.push_back(std::move(row));
  }
  if (!rows.empty()) section.add(field_table("variant", rows));
  return section;
}

}  // namespace

extern const SectionInfo section_cells = {
    "cells",
    90,
    "All cells",
    "One row for each task, metric, visibility, method, budget and mask; a click on a heading "
    "sorts. "
    "Columns that hold the same in every row are left out and said above the table.",
    "",
    make};

}  // namespace kvcal
