// SPDX-License-Identifier: Apache-2.0
#include <fmt/ranges.h>

#include "kvcal/compress/error.hpp"
#include "kvcal/profile/metric.hpp"

namespace kvcal {

const MetricInfo& find_metric(std::string_view name) {
  std::vector<std::string> known;
  for (const MetricInfo* metric : metric_table()) {
    if (metric->name == name) {
      if (metric->load != nullptr) metric->load();
      return *metric;
    }
    known.emplace_back(metric->name);
  }
  fail(Kind::config, "no metric '{}'{} (known: {})", name, nearest_hint(name, known),
       fmt::join(known, ", "));
}

}  // namespace kvcal
