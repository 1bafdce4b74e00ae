// SPDX-License-Identifier: Apache-2.0
#include "shared/table.hpp"

#include <fmt/format.h>

#include <algorithm>

namespace kvcal {

Table::Table(std::vector<std::string> columns) : columns_(std::move(columns)) {
  for (auto& column : columns_) {
    is_left_.push_back(column.starts_with('<'));
    if (is_left_.back()) column.erase(0, 1);
  }
}

void Table::add(std::vector<std::string> cells) {
  cells.resize(columns_.size());
  rows_.push_back(std::move(cells));
}

std::string Table::text() const {
  std::vector<size_t> widths;
  for (size_t c = 0; c < columns_.size(); ++c) {
    size_t width = columns_[c].size();
    for (const auto& row : rows_) width = std::max(width, row[c].size());
    widths.push_back(width);
  }
  std::string text;
  const auto add_line = [&](const std::vector<std::string>& cells) {
    std::string line;
    for (size_t c = 0; c < cells.size(); ++c) {
      line += is_left_[c] ? fmt::format("{:<{}}", cells[c], widths[c])
                          : fmt::format("{:>{}}", cells[c], widths[c]);
      line += "  ";
    }
    line.erase(line.find_last_not_of(' ') + 1);
    text += line + "\n";
  };
  add_line(columns_);
  for (const auto& row : rows_) add_line(row);
  return text;
}

}  // namespace kvcal
