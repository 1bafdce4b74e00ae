// SPDX-License-Identifier: Apache-2.0
#include <fmt/ranges.h>

#include "kvcal/compress/error.hpp"
#include "kvcal/profile/measure.hpp"

namespace kvcal {

const MeasureInfo& find_measure(std::string_view name) {
  std::vector<std::string> known;
  for (const auto* info : measure_table()) {
    if (info->name == name) return *info;
    known.emplace_back(info->name);
  }
  fail(Kind::config, "no measure '{}'{} (known: {})", name, nearest_hint(name, known),
       fmt::join(known, ", "));
}

}  // namespace kvcal
