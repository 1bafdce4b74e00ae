// SPDX-License-Identifier: Apache-2.0
#include "kvcal/profile/comparison.hpp"

#include <gtest/gtest.h>

#include <cmath>

#include "support/error_text.hpp"

namespace kvcal {
namespace {

/// Uniform in 0 .. 1 from the counter-based bits.
double uniform(uint64_t seed, uint64_t counter) {
  return (static_cast<double>(random_bits(seed, counter) >> 11) + 0.5) / 9007199254740992.0;
}

SampleRecord record(const std::string& method, const std::string& sample, double score) {
  SampleRecord r;
  r.task = "t", r.sample = sample, r.method = method, r.metric = "m", r.visibility = "aware";
  r.budget = method == "full" ? "full" : "64", r.score = score;
  return r;
}

TEST(Comparison, SmallNumbersByHand) {
  const Comparison c = compare({{1, 0.5, 0, 1}, {0.5, 0.5, 0.25, 0.25}, {}});
  EXPECT_EQ(c.n, 4);
  EXPECT_EQ(c.clusters, 4);
  EXPECT_EQ(c.mean_a, 0.625);
  EXPECT_EQ(c.mean_b, 0.375);
  EXPECT_EQ(c.delta, 0.25);
  EXPECT_NEAR(c.ratio, 5.0 / 3, 1e-12);
  EXPECT_EQ(c.wins, 2);
  EXPECT_EQ(c.ties, 1);
  EXPECT_EQ(c.losses, 1);
}

TEST(Comparison, EqualSidesDoNotDiffer) {
  const Comparison c = compare({{0.1, 0.7, 0.3}, {0.1, 0.7, 0.3}, {}});
  EXPECT_EQ(c.delta, 0);
  EXPECT_EQ(c.delta_interval.low, 0);
  EXPECT_EQ(c.delta_interval.high, 0);
  EXPECT_EQ(c.ratio, 1);
  EXPECT_EQ(c.ratio_interval.low, 1);
  EXPECT_EQ(c.p_value, 1);
  EXPECT_EQ(c.ties, 3);
}

TEST(Comparison, ATinySampleCannotBeSignificant) {
  // All pairs say the same, but five of them do so by chance in one of 16 experiments.
  const std::vector<double> ones(5, 1.0), zeros(5, 0.0);
  EXPECT_EQ(compare({ones, zeros, {}}).p_value, 1.0 / 16);
  const std::vector<double> more(40, 1.0), none(40, 0.0);
  EXPECT_NEAR(compare({more, none, {}}).p_value, 2.0 / 10001, 1e-12) << "the resolution";
}

TEST(Comparison, WithoutPairsOrSpreadThereIsNoInterval) {
  const Comparison none = compare({});
  EXPECT_EQ(none.n, 0);
  EXPECT_TRUE(std::isnan(none.delta) && std::isnan(none.p_value));
  const Comparison one_document = compare({{1, 0}, {0, 0}, {7, 7}});
  EXPECT_EQ(one_document.delta, 0.5);
  EXPECT_EQ(one_document.clusters, 1);
  EXPECT_TRUE(std::isnan(one_document.delta_interval.low) && std::isnan(one_document.p_value));
}

TEST(Comparison, ARatioToNothingIsNoNumber) {
  const Comparison c = compare({{1, 1}, {0, 0}, {}});
  EXPECT_TRUE(std::isnan(c.ratio) && std::isnan(c.ratio_interval.low));
  // A resample may draw the zero twice.
  EXPECT_TRUE(std::isnan(compare({{1, 1}, {0, 1}, {}}).ratio_interval.low));
}

TEST(Comparison, SidesOfDifferentLengthsAreRefused) {
  EXPECT_EQ(test::error_text(Kind::shape,
                             [] {
                               compare({{1, 2}, {1}, {}});
                             }),
            "comparison: 2 and 1 values, need as many on both sides");
}

TEST(Comparison, ExchangingTheSidesNegatesTheDifference) {
  Pairs pairs;
  for (int i = 0; i < 30; ++i) {
    pairs.a.push_back(uniform(1, i));
    pairs.b.push_back(uniform(2, i));
    pairs.clusters.push_back(i / 3);
  }
  const Comparison forth = compare(pairs);
  const Comparison back = compare({pairs.b, pairs.a, pairs.clusters});
  EXPECT_NEAR(forth.delta, -back.delta, 1e-12);
  EXPECT_NEAR(forth.delta_interval.low, -back.delta_interval.high, 1e-12);
  EXPECT_NEAR(forth.ratio * back.ratio, 1, 1e-12);
  EXPECT_EQ(forth.wins, back.losses);
  EXPECT_EQ(forth.p_value, back.p_value);
}

TEST(Comparison, AClusterCountsOnceHoweverManyRowsItHas) {
  // Eight documents, each with its rows repeated: the interval and p-value stay.
  Pairs once, often;
  for (int i = 0; i < 8; ++i) {
    for (int copy = 0; copy < 5; ++copy) {
      often.a.push_back(uniform(3, i)), often.b.push_back(0.4), often.clusters.push_back(i);
    }
    once.a.push_back(uniform(3, i)), once.b.push_back(0.4), once.clusters.push_back(i);
  }
  const Comparison c = compare(once), repeated = compare(often);
  EXPECT_EQ(repeated.clusters, 8);
  EXPECT_NEAR(c.delta_interval.low, repeated.delta_interval.low, 1e-12);
  EXPECT_NEAR(c.delta_interval.high, repeated.delta_interval.high, 1e-12);
  EXPECT_EQ(c.p_value, repeated.p_value);
}

TEST(Comparison, TheIntervalAgreesWithThePValue) {
  // 0 lies outside the 95 % interval just where p < 0.05, up to the resolution.
  for (int trial = 0; trial < 60; ++trial) {
    Pairs pairs;
    for (int i = 0; i < 25; ++i) {
      pairs.a.push_back(uniform(trial, i) + 0.15);
      pairs.b.push_back(uniform(trial + 500, i));
    }
    const Comparison c = compare(pairs, {.resamples = 2000});
    if (std::abs(c.p_value - 0.05) < 0.003) continue;
    EXPECT_EQ(c.delta_interval.low > 0, c.p_value < 0.05) << trial << ": p = " << c.p_value;
  }
}

TEST(Comparison, UnderNoDifferenceFewAreCalledDifferent) {
  // 300 experiments of 30 pairs without a difference: 5 % are usually called so, and the percentile
  // bootstrap is a little eager at n = 30 (6.3 % here); the limit is three standard errors above.
  int called = 0;
  for (int trial = 0; trial < 300; ++trial) {
    Pairs pairs;
    for (int i = 0; i < 30; ++i) {
      pairs.a.push_back(uniform(trial, i));
      pairs.b.push_back(uniform(trial + 1000, i));
    }
    called += compare(pairs, {.resamples = 1000}).p_value <= 0.05;
  }
  EXPECT_GT(called, 3);
  EXPECT_LT(called / 300.0, 0.10);
}

TEST(Comparison, RatioIntervalsCoverTheTrueRatio) {
  // Means 0.45 and 0.5, paired and correlated; 200 experiments of 40 pairs. Usually 0.93 .. 0.95.
  int covered = 0;
  for (int trial = 0; trial < 200; ++trial) {
    Pairs pairs;
    for (int i = 0; i < 40; ++i) {
      const double shared = uniform(trial, i);
      pairs.a.push_back(0.9 * (shared + uniform(trial + 4000, i)) / 2);
      pairs.b.push_back((shared + uniform(trial + 8000, i)) / 2);
    }
    const Interval interval = compare(pairs, {.resamples = 1000}).ratio_interval;
    covered += interval.low <= 0.9 && 0.9 <= interval.high;
  }
  EXPECT_GT(covered / 200.0, 0.88);
  EXPECT_LT(covered, 200);
}

TEST(Holm, SmallNumbersByHand) {
  // 0.01 * 4; 0.02 * 3; max(0.03 * 2, 0.06); max(0.5, 0.06).
  const double nan = std::nan("");
  const auto adjusted = holm(std::vector<double>{0.03, 0.01, nan, 0.5, 0.02});
  EXPECT_NEAR(adjusted[0], 0.06, 1e-12);
  EXPECT_NEAR(adjusted[1], 0.04, 1e-12);
  EXPECT_TRUE(std::isnan(adjusted[2]));
  EXPECT_NEAR(adjusted[3], 0.5, 1e-12);
  EXPECT_NEAR(adjusted[4], 0.06, 1e-12);
  EXPECT_EQ(holm(std::vector<double>{0.6, 0.7})[0], 1) << "never above 1";
  EXPECT_TRUE(holm({}).empty());
}

TEST(RecordPairs, OnlySamplesThatCountOnBothSidesArePaired) {
  std::vector<SampleRecord> records = {record("snapkv", "a", 0.5), record("snapkv", "b", 0.25),
                                       record("snapkv", "c", 1),   record("full", "b", 0.75),
                                       record("full", "c", 1),     record("full", "d", 1)};
  records[2].uncompressed = true;
  records[3].uncompressed = true;  // the full cache always counts
  records[1].document = "book";
  const auto groups = group_by_variant(records);
  ASSERT_EQ(groups.size(), 2u);
  const Pairs pairs = pair_by_sample(groups[0], groups[1]);
  EXPECT_EQ(pairs.a, std::vector<double>{0.25});
  EXPECT_EQ(pairs.b, std::vector<double>{0.75});
  EXPECT_EQ(pairs.clusters.size(), 1u);
}

TEST(RecordPairs, AValueThatWasNotMeasuredIsNoPair) {
  std::vector<SampleRecord> records = {record("snapkv", "a", 0), record("snapkv", "b", 0),
                                       record("h2o", "a", 0), record("h2o", "b", 0)};
  records[0].kl = 1, records[1].kl = 2, records[2].kl = 3;
  const auto groups = group_by_variant(records);
  EXPECT_EQ(pair_by_sample(groups[0], groups[1], &SampleRecord::kl).b, std::vector<double>{3});
}

}  // namespace
}  // namespace kvcal
