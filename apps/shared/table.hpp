// SPDX-License-Identifier: Apache-2.0
// Tables for people: aligned columns, text left, numbers right.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

namespace kvcal {

class Table {
 public:
  /// @param columns  a heading that starts with '<' is aligned left (the sign is not printed)
  explicit Table(std::vector<std::string> columns);

  void add(std::vector<std::string> cells);
  std::string text() const;

 private:
  std::vector<std::string> columns_;
  std::vector<bool> is_left_;
  std::vector<std::vector<std::string>> rows_;
};

std::string format_bytes(double bytes);                ///< "12.3 MiB"
std::string format_score(double score);                ///< 0..1 as "0.953"; NaN as "-"
std::string format_interval(double low, double high);  ///< "[0.91, 0.99]"; NaN as "-"

}  // namespace kvcal
