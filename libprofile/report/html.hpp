// SPDX-License-Identifier: Apache-2.0
// Small pieces of HTML that sections share.
#pragma once

#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace kvcal::report {

/// `<h3>` of a panel or a kind, with a quiet addition (e.g. "n = 18").
std::string heading(std::string_view title, std::string_view addition = "");

struct TableCell {
  std::string text;              ///< plain; escaped when written
  std::optional<double> number;  ///< sorts by it, and stands right
  std::string below;             ///< second line, small (an interval)
};

/// A table that scrolls inside its own frame. Text columns stand left, columns of numbers right.
class HtmlTable {
 public:
  enum class Kind { plain, sortable };
  explicit HtmlTable(std::vector<std::string> columns, Kind kind = Kind::plain);

  /// @param series  the method of the row, for highlighting; empty: none
  void add(std::vector<TableCell> cells, std::string series = "");
  std::string html() const;

 private:
  struct Row {
    std::vector<TableCell> cells;
    std::string series;
  };
  std::vector<std::string> columns_;
  Kind kind_;
  std::vector<Row> rows_;
};

}  // namespace kvcal::report
