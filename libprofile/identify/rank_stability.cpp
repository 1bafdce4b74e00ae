// SPDX-License-Identifier: Apache-2.0
#include <algorithm>
#include <limits>
#include <map>

#include "kvcal/compress/error.hpp"
#include "kvcal/profile/identify.hpp"

namespace kvcal {
namespace {

constexpr int64_t kResamples = 500;

/// Prompts of one group.
struct Group {
  std::vector<std::vector<double>> columns;  ///< [layers * heads], each [prompts]
  std::vector<int64_t> clusters;             ///< [prompts], or empty

  int64_t prompts() const { return static_cast<int64_t>(columns.front().size()); }

  std::vector<double> mean() const {  // [layers * heads]
    std::vector<double> means;
    for (const auto& column : columns) {
      double sum = 0;
      for (const double value : column) sum += value;
      means.push_back(sum / static_cast<double>(column.size()));
    }
    return means;
  }
};

std::map<std::string, Group> split(const HeadScores& scores, std::span<const std::string> groups,
                                   std::span<const int64_t> clusters) {
  const auto heads = static_cast<size_t>(scores.layers * scores.heads);
  std::map<std::string, Group> split;
  for (size_t prompt = 0; prompt < groups.size(); ++prompt) {
    Group& group = split[groups[prompt]];
    group.columns.resize(heads);
    for (size_t head = 0; head < heads; ++head) {
      group.columns[head].push_back(static_cast<double>(scores.per_prompt[prompt * heads + head]));
    }
    if (!clusters.empty()) group.clusters.push_back(clusters[prompt]);
  }
  return split;
}

/// Both groups are drawn anew, each for itself.
Interval spearman_interval(const Group& a, const Group& b, uint64_t seed) {
  const auto of_a = bootstrap_means(a.columns, a.clusters, kResamples, stable_hash("a", seed));
  const auto of_b = bootstrap_means(b.columns, b.clusters, kResamples, stable_hash("b", seed));
  std::vector<double> correlations;
  const size_t drawn = std::min(of_a.front().size(), of_b.front().size());
  std::vector<double> left(of_a.size()), right(of_b.size());
  for (size_t resample = 0; resample < drawn; ++resample) {
    for (size_t head = 0; head < left.size(); ++head) {
      left[head] = of_a[head][resample], right[head] = of_b[head][resample];
    }
    correlations.push_back(spearman(left, right));
  }
  return percentile_interval(std::move(correlations), 0.95);
}

}  // namespace

std::vector<RankAgreement> rank_agreements(const HeadScores& scores,
                                           std::span<const std::string> groups,
                                           std::span<const int64_t> clusters, uint64_t seed) {
  require(static_cast<int64_t>(groups.size()) == scores.count, Kind::shape,
          "groups of {} prompts, the scores are of {}", groups.size(), scores.count);
  const auto parts = split(scores, groups, clusters);
  std::vector<RankAgreement> found;
  for (auto a = parts.begin(); a != parts.end(); ++a) {
    for (auto b = std::next(a); b != parts.end(); ++b) {
      RankAgreement agreement{a->first, b->first, a->second.prompts(), b->second.prompts()};
      const auto left = a->second.mean(), right = b->second.mean();
      agreement.spearman = spearman(left, right);
      agreement.interval = spearman_interval(a->second, b->second, seed);
      agreement.top = std::min<int64_t>(agreement.top, static_cast<int64_t>(left.size()));
      agreement.top_overlap = top_overlap(left, right, agreement.top);
      found.push_back(std::move(agreement));
    }
  }
  return found;
}

}  // namespace kvcal
