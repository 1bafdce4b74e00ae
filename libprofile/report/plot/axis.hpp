// SPDX-License-Identifier: Apache-2.0
// Axes: what they span, where a value lies on them, which numbers are written beside them.
#pragma once

#include <limits>
#include <vector>

namespace kvcal::report {

enum class Scale { linear, log };

struct Range {
  double low = std::numeric_limits<double>::infinity();
  double high = -std::numeric_limits<double>::infinity();

  /// Grows to hold `value`, unless that is no number.
  void add(double value);
  /// Share of the axis, 0 at its lower end; and back.
  double place_of(double value, Scale scale) const;
  double value_at(double place, Scale scale) const;
};

/// The next of 1, 1.5, 2, 3, 5, 7.5, 10, ... and their like; 1 for what is not positive.
double round_up(double value);

/// For logarithmic axes: 1, 2, 5, 10, ... and their like that lie in [low, high], more of them in a
/// short range; the ends where fewer than two do.
std::vector<double> round_ticks(double low, double high);

}  // namespace kvcal::report
