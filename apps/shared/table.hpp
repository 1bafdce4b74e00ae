// SPDX-License-Identifier: Apache-2.0
// Tables for people: aligned columns, text left, numbers right.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "kvcal/profile/format.hpp"

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

}  // namespace kvcal
