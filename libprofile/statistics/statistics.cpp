// SPDX-License-Identifier: Apache-2.0
#include "kvcal/profile/statistics.hpp"

#include <algorithm>
#include <cmath>
#include <limits>
#include <numeric>

#include "kvcal/compress/error.hpp"

namespace kvcal {
namespace {

/// 1-based; equal values share the mean of their places.
std::vector<double> average_ranks(std::span<const double> values) {
  std::vector<size_t> order(values.size());
  std::iota(order.begin(), order.end(), size_t{0});
  std::sort(order.begin(), order.end(), [&](size_t a, size_t b) { return values[a] < values[b]; });
  std::vector<double> ranks(values.size());
  for (size_t begin = 0, end = 0; begin < order.size(); begin = end) {
    while (end < order.size() && values[order[end]] == values[order[begin]]) ++end;
    for (size_t i = begin; i < end; ++i) {
      ranks[order[i]] = (static_cast<double>(begin) + static_cast<double>(end) + 1) / 2;
    }
  }
  return ranks;
}

std::vector<bool> is_in_top(std::span<const double> values, int64_t n) {
  std::vector<size_t> order(values.size());
  std::iota(order.begin(), order.end(), size_t{0});
  std::stable_sort(order.begin(), order.end(),
                   [&](size_t a, size_t b) { return values[a] > values[b]; });
  std::vector<bool> member(values.size(), false);
  for (int64_t i = 0; i < n; ++i) member[order[i]] = true;
  return member;
}

void require_pairs(size_t a, size_t b, std::string_view what) {
  require(a == b, Kind::shape, "{}: {} and {} values, need as many on both sides", what, a, b);
}

}  // namespace

std::optional<double> if_number(double value) {
  return std::isnan(value) ? std::nullopt : std::optional(value);
}

double spearman(std::span<const double> a, std::span<const double> b) {
  require_pairs(a.size(), b.size(), "spearman");
  const auto ranks_a = average_ranks(a);
  const auto ranks_b = average_ranks(b);
  const double mean = (static_cast<double>(a.size()) + 1) / 2;
  double covariance = 0, variance_a = 0, variance_b = 0;
  for (size_t i = 0; i < a.size(); ++i) {
    covariance += (ranks_a[i] - mean) * (ranks_b[i] - mean);
    variance_a += (ranks_a[i] - mean) * (ranks_a[i] - mean);
    variance_b += (ranks_b[i] - mean) * (ranks_b[i] - mean);
  }
  if (variance_a == 0 || variance_b == 0) return kNaN;
  return covariance / std::sqrt(variance_a * variance_b);
}

double top_overlap(std::span<const double> a, std::span<const double> b, int64_t n) {
  require_pairs(a.size(), b.size(), "top overlap");
  require(n >= 1 && n <= static_cast<int64_t>(a.size()), Kind::config,
          "top overlap: n = {}, need 1 .. {}", n, a.size());
  const auto in_a = is_in_top(a, n);
  const auto in_b = is_in_top(b, n);
  int64_t shared = 0;
  for (size_t i = 0; i < a.size(); ++i) shared += in_a[i] && in_b[i];
  return static_cast<double>(shared) / static_cast<double>(n);
}

uint64_t random_bits(uint64_t seed, uint64_t counter) {
  uint64_t z = seed + (counter + 1) * 0x9E3779B97F4A7C15u;
  z = (z ^ (z >> 30)) * 0xBF58476D1CE4E5B9u;
  z = (z ^ (z >> 27)) * 0x94D049BB133111EBu;
  return z ^ (z >> 31);
}

uint64_t stable_hash(std::string_view text, uint64_t seed) {
  uint64_t hash = 0xCBF29CE484222325u ^ seed;
  for (const char c : text) hash = (hash ^ static_cast<unsigned char>(c)) * 0x100000001B3u;
  return hash;
}

}  // namespace kvcal
