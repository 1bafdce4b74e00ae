// SPDX-License-Identifier: Apache-2.0
#include "report/plot/axis.hpp"

#include <algorithm>
#include <cmath>

namespace kvcal::report {

void Range::add(double value) {
  if (!std::isfinite(value)) return;
  low = std::min(low, value), high = std::max(high, value);
}

double Range::place_of(double value, Scale scale) const {
  if (scale == Scale::log) return std::log(value / low) / std::log(high / low);
  return (value - low) / (high - low);
}

double Range::value_at(double place, Scale scale) const {
  if (scale == Scale::log) return low * std::pow(high / low, place);
  return low + place * (high - low);
}

double round_up(double value) {
  if (!(value > 0)) return 1;
  constexpr double kRounding = 1 + 1e-9;
  const double decade = std::pow(10, std::floor(std::log10(value)));
  for (double step : {1.0, 1.5, 2.0, 3.0, 5.0, 7.5}) {
    if (value <= step * decade * kRounding) return step * decade;
  }
  return 10 * decade;
}

std::vector<double> round_ticks(double low, double high) {
  constexpr size_t kEnough = 4;
  const std::vector<double> coarse = {1, 2, 5}, fine = {1, 1.5, 2, 3, 4, 5, 6, 8};
  std::vector<double> ticks;
  for (const auto& steps : {coarse, fine}) {
    ticks.clear();
    for (double decade = std::pow(10, std::floor(std::log10(low))); decade <= high; decade *= 10) {
      for (double step : steps) {
        if (step * decade >= low && step * decade <= high) ticks.push_back(step * decade);
      }
    }
    if (ticks.size() >= kEnough) break;
  }
  if (ticks.size() < 2) ticks = {low, high};
  return ticks;
}

}  // namespace kvcal::report
