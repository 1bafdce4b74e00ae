// SPDX-License-Identifier: Apache-2.0
#include "kvcal/profile/statistics.hpp"

#include <gtest/gtest.h>

#include <cmath>

#include "kvcal/compress/error.hpp"

namespace kvcal {
namespace {

/// Standard normal by Box-Muller from the counter-based bits.
double normal(uint64_t seed, uint64_t counter) {
  const auto unit = [&](uint64_t i) {
    return (static_cast<double>(random_bits(seed, i) >> 11) + 0.5) / 9007199254740992.0;
  };
  return std::sqrt(-2 * std::log(unit(2 * counter))) * std::cos(2 * M_PI * unit(2 * counter + 1));
}

TEST(Statistics, RandomBitsAreThoseOfSplitmix64) {
  EXPECT_EQ(random_bits(0, 0), 0xE220A8397B1DCDAFu);
  EXPECT_EQ(random_bits(1234567, 0), 6457827717110365317u);
  EXPECT_EQ(random_bits(1234567, 1), 3203168211198807973u);
}

TEST(Statistics, StableHashIsFnv1a) {
  EXPECT_EQ(stable_hash(""), 0xCBF29CE484222325u);
  EXPECT_EQ(stable_hash("a"), 0xAF63DC4C8601EC8Cu);
  EXPECT_EQ(stable_hash("foobar"), 0x85944171F73967E8u);
  EXPECT_NE(stable_hash("a", 1), stable_hash("a"));
}

TEST(Statistics, SpearmanOfTheTextbookCase) {
  // IQ against hours of television: sum of squared rank differences 194, 1 - 6 * 194 / 990.
  const std::vector<double> iq = {86, 97, 99, 100, 101, 103, 106, 110, 112, 113};
  const std::vector<double> hours = {2, 20, 28, 27, 50, 29, 7, 17, 6, 12};
  EXPECT_NEAR(spearman(iq, hours), -29.0 / 165.0, 1e-12);
}

TEST(Statistics, SpearmanGivesTiesTheirAverageRank) {
  // Ranks 1, 2.5, 2.5, 4 against 1, 2, 3, 4: 4.5 / sqrt(4.5 * 5).
  EXPECT_NEAR(spearman(std::vector<double>{1, 2, 2, 3}, std::vector<double>{1, 2, 3, 4}),
              4.5 / std::sqrt(22.5), 1e-12);
  EXPECT_TRUE(std::isnan(spearman(std::vector<double>{1, 1}, std::vector<double>{1, 2})));
}

TEST(Statistics, TopOverlapCountsSharedMembersAndGivesTiesToTheLowerIndex) {
  const std::vector<double> a = {9, 8, 7, 1, 0};
  const std::vector<double> b = {9, 1, 7, 8, 0};
  EXPECT_EQ(top_overlap(a, b, 1), 1.0);
  EXPECT_EQ(top_overlap(a, b, 2), 0.5);
  EXPECT_EQ(top_overlap(std::vector<double>{1, 1, 1}, std::vector<double>{3, 2, 1}, 2), 1.0);
  EXPECT_THROW(top_overlap(a, b, 6), Error);
}

TEST(Statistics, OneValueOrOneClusterHasNoInterval) {
  EXPECT_TRUE(std::isnan(bootstrap_mean(std::vector<double>{1}).low));
  const std::vector<int64_t> one_cluster = {4, 4, 4};
  EXPECT_TRUE(std::isnan(bootstrap_mean(std::vector<double>{1, 2, 3}, one_cluster).high));
}

TEST(Statistics, BootstrapOfTwoValuesReachesBoth) {
  const Interval interval = bootstrap_mean(std::vector<double>{0, 1});
  EXPECT_EQ(interval.low, 0);
  EXPECT_EQ(interval.high, 1);
}

TEST(Statistics, BootstrapIsDeterministicInItsSeed) {
  std::vector<double> values;
  for (int i = 0; i < 50; ++i) values.push_back(normal(3, i));
  const Interval a = bootstrap_mean(values, {}, 0.95, 500, 1);
  const Interval b = bootstrap_mean(values, {}, 0.95, 500, 1);
  const Interval c = bootstrap_mean(values, {}, 0.95, 500, 2);
  EXPECT_EQ(a.low, b.low);
  EXPECT_EQ(a.high, b.high);
  EXPECT_NE(a.low, c.low);
}

TEST(Statistics, BootstrapIntervalHasTheWidthOfTheNormalOne) {
  std::vector<double> values;
  for (int i = 0; i < 400; ++i) values.push_back(normal(5, i));
  double mean = 0, square = 0;
  for (double value : values) mean += value / 400, square += value * value / 400;
  const double half = 1.96 * std::sqrt((square - mean * mean) / 400);
  const Interval interval = bootstrap_mean(values);
  EXPECT_NEAR(interval.low, mean - half, 0.01);
  EXPECT_NEAR(interval.high, mean + half, 0.01);
}

TEST(Statistics, BootstrapIntervalsCoverTheTrueMean) {
  // 300 samples of 40 normal values: usually 0.94 of the 95 % intervals hold 0 (the percentile
  // interval is a little short at n = 40); the limit is three standard errors (0.0126) below 0.94.
  int covered = 0;
  for (int trial = 0; trial < 300; ++trial) {
    std::vector<double> values;
    for (int i = 0; i < 40; ++i) values.push_back(normal(1000 + trial, i));
    const Interval interval = bootstrap_mean(values, {}, 0.95, 400, trial);
    covered += interval.low <= 0 && 0 <= interval.high;
  }
  EXPECT_GT(covered / 300.0, 0.90);
  EXPECT_LT(covered / 300.0, 0.98);
}

TEST(Statistics, ClustersOfEqualValuesWidenTheInterval) {
  // Each value four times: as one value each, the interval is too short by a factor of about two.
  std::vector<double> values;
  std::vector<int64_t> clusters;
  for (int i = 0; i < 100; ++i) {
    values.push_back(normal(9, i / 4));
    clusters.push_back(i / 4);
  }
  const Interval naive = bootstrap_mean(values);
  const Interval clustered = bootstrap_mean(values, clusters);
  const double factor = (clustered.high - clustered.low) / (naive.high - naive.low);
  EXPECT_NEAR(factor, 2.0, 0.25);
}

TEST(Statistics, APairedDifferenceIsSharperThanItsSides) {
  std::vector<double> a, b;
  for (int i = 0; i < 60; ++i) {
    b.push_back(10 * normal(11, i));
    a.push_back(b.back() + 0.5);
  }
  const Interval interval = bootstrap_paired(a, b);
  EXPECT_NEAR(interval.low, 0.5, 1e-9);
  EXPECT_NEAR(interval.high, 0.5, 1e-9);
  EXPECT_THROW(bootstrap_paired(a, std::vector<double>{1}), Error);
}

}  // namespace
}  // namespace kvcal
