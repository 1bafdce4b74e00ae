// SPDX-License-Identifier: Apache-2.0
#include "metrics/text/overlap.hpp"

#include <fmt/format.h>

#include <cstdlib>
#include <iterator>

namespace kvcal::text {

int64_t bag_overlap(std::vector<std::u32string> a, std::vector<std::u32string> b) {
  std::sort(a.begin(), a.end());
  std::sort(b.begin(), b.end());
  std::vector<std::u32string> both;
  std::set_intersection(a.begin(), a.end(), b.begin(), b.end(), std::back_inserter(both));
  return static_cast<int64_t>(both.size());
}

double bag_f1(const std::vector<std::u32string>& predicted,
              const std::vector<std::u32string>& wanted) {
  const auto overlap = static_cast<double>(bag_overlap(predicted, wanted));
  if (overlap == 0) return 0;
  const double precision = overlap / static_cast<double>(predicted.size());
  const double recall = overlap / static_cast<double>(wanted.size());
  return 2 * precision * recall / (precision + recall);
}

double round_to_hundredths(double value) {
  return std::strtod(fmt::format("{:.2f}", value).c_str(), nullptr);
}

}  // namespace kvcal::text
