// SPDX-License-Identifier: Apache-2.0
#include "kvcal/profile/format.hpp"

#include <fmt/format.h>

#include <cmath>

namespace kvcal {

std::string format_bytes(double bytes) {
  constexpr double kKibi = 1024.0;
  if (bytes < kKibi) return fmt::format("{:.0f} B", bytes);
  if (bytes < kKibi * kKibi) return fmt::format("{:.1f} KiB", bytes / kKibi);
  if (bytes < kKibi * kKibi * kKibi) return fmt::format("{:.1f} MiB", bytes / (kKibi * kKibi));
  return fmt::format("{:.2f} GiB", bytes / (kKibi * kKibi * kKibi));
}

std::string format_seconds(double seconds) {
  constexpr double kMinute = 60.0, kHour = 3600.0;
  if (seconds < 1) return fmt::format("{:.1f} ms", 1000 * seconds);
  if (seconds < 2 * kMinute) return fmt::format("{:.1f} s", seconds);
  if (seconds < 2 * kHour) return fmt::format("{:.1f} min", seconds / kMinute);
  return fmt::format("{:.1f} h", seconds / kHour);
}

std::string format_score(double score) {
  return std::isnan(score) ? "-" : fmt::format("{:.3f}", score);
}

std::string format_interval(double low, double high) {
  if (std::isnan(low) || std::isnan(high)) return "-";
  return fmt::format("[{:.3f}, {:.3f}]", low, high);
}

}  // namespace kvcal
