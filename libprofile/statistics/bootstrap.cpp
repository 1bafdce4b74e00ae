// SPDX-License-Identifier: Apache-2.0
// Bootstrap over clusters. A resample draws as many clusters as there are, each with all its rows.
#include <algorithm>
#include <cmath>
#include <functional>
#include <limits>
#include <map>

#include "kvcal/compress/error.hpp"
#include "kvcal/profile/statistics.hpp"

namespace kvcal {
namespace {

/// A resample needs only the sums and the size of each cluster.
struct Cluster {
  std::vector<double> sums;  // [columns]
  int64_t size = 0;
};

std::vector<Cluster> cluster_sums(std::span<const std::vector<double>> columns,
                                  std::span<const int64_t> clusters) {
  std::map<int64_t, Cluster> by_index;
  const size_t rows = columns.empty() ? 0 : columns.front().size();
  for (size_t row = 0; row < rows; ++row) {
    Cluster& cluster = by_index[clusters.empty() ? static_cast<int64_t>(row) : clusters[row]];
    cluster.sums.resize(columns.size());
    for (size_t c = 0; c < columns.size(); ++c) cluster.sums[c] += columns[c][row];
    ++cluster.size;
  }
  std::vector<Cluster> list;
  for (auto& [index, cluster] : by_index) list.push_back(std::move(cluster));
  return list;
}

/// Upper half of the bits, scaled: the bias is below count / 2^32.
size_t draw_index(uint64_t bits, size_t count) {
  return ((bits >> 32) * count) >> 32;
}

void require_rows(size_t rows, size_t expected, std::string_view what) {
  require(rows == expected, Kind::shape, "{}: {} and {} values, need as many on both sides", what,
          expected, rows);
}

}  // namespace

std::vector<std::vector<double>> bootstrap_means(std::span<const std::vector<double>> columns,
                                                 std::span<const int64_t> clusters,
                                                 int64_t resamples, uint64_t seed) {
  require(resamples >= 1, Kind::config, "bootstrap: resamples = {}, need >= 1", resamples);
  for (const auto& column : columns) {
    require_rows(column.size(), columns.front().size(), "bootstrap columns");
    if (!clusters.empty()) require_rows(clusters.size(), column.size(), "bootstrap clusters");
  }
  const auto parts = cluster_sums(columns, clusters);
  std::vector<std::vector<double>> means(columns.size());
  if (parts.size() < 2) return means;
  for (auto& column : means) column.resize(static_cast<size_t>(resamples));
  std::vector<double> sums(columns.size());
  for (int64_t resample = 0; resample < resamples; ++resample) {
    std::fill(sums.begin(), sums.end(), 0.0);
    int64_t size = 0;
    for (size_t i = 0; i < parts.size(); ++i) {
      const uint64_t counter = static_cast<uint64_t>(resample) * parts.size() + i;
      const Cluster& drawn = parts[draw_index(random_bits(seed, counter), parts.size())];
      for (size_t c = 0; c < sums.size(); ++c) sums[c] += drawn.sums[c];
      size += drawn.size;
    }
    for (size_t c = 0; c < sums.size(); ++c)
      means[c][resample] = sums[c] / static_cast<double>(size);
  }
  return means;
}

Interval percentile_interval(std::vector<double> values, double level) {
  require(level > 0 && level < 1, Kind::config, "interval: level = {}, need 0 < level < 1", level);
  const bool has_nan =
      std::any_of(values.begin(), values.end(), [](double v) { return std::isnan(v); });
  if (values.empty() || has_nan) return {kNaN, kNaN};
  std::sort(values.begin(), values.end());
  const auto quantile = [&](double share) {
    const double place = share * static_cast<double>(values.size() - 1);
    const auto below = static_cast<size_t>(place);
    const size_t above = std::min(below + 1, values.size() - 1);
    return values[below] + (place - static_cast<double>(below)) * (values[above] - values[below]);
  };
  return {quantile((1 - level) / 2), quantile((1 + level) / 2)};
}

Interval bootstrap_mean(std::span<const double> values, std::span<const int64_t> clusters,
                        double level, int64_t resamples, uint64_t seed) {
  const std::vector<double> column(values.begin(), values.end());
  return percentile_interval(bootstrap_means({&column, 1}, clusters, resamples, seed).front(),
                             level);
}

Interval bootstrap_paired(std::span<const double> a, std::span<const double> b,
                          std::span<const int64_t> clusters, double level, int64_t resamples,
                          uint64_t seed) {
  require_rows(b.size(), a.size(), "bootstrap pairs");
  std::vector<double> differences(a.size());
  std::transform(a.begin(), a.end(), b.begin(), differences.begin(), std::minus<>());
  return bootstrap_mean(differences, clusters, level, resamples, seed);
}

}  // namespace kvcal
