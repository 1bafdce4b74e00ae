// SPDX-License-Identifier: Apache-2.0
#include "model/thread_runs.hpp"

#include <numeric>

namespace kvcal {
namespace {

/// Each thread reads all weights: with fewer rows than this, reading them takes longer than
/// multiplying.
constexpr int64_t kLeastRows = 12;

}  // namespace

std::vector<ThreadRun> thread_runs(std::span<const int64_t> costs, int64_t rows, int64_t threads) {
  if (threads < 2 || rows < threads * kLeastRows) return {{0, costs.size()}};
  const auto all = std::accumulate(costs.begin(), costs.end(), int64_t{0});
  std::vector<ThreadRun> runs;
  int64_t before = 0;  // cost of the sequences that have been dealt
  for (size_t i = 0; i < costs.size(); ++i) {
    // To the thread in whose share of the cost its middle lies.
    const auto thread = static_cast<double>(before + costs[i] / 2) * static_cast<double>(threads) /
                        static_cast<double>(all);
    const auto began = static_cast<double>(runs.size());
    if (runs.empty() || thread >= began) {
      runs.push_back({i, 1});
    } else {
      ++runs.back().count;
    }
    before += costs[i];
  }
  return runs;
}

}  // namespace kvcal
