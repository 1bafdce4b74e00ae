// SPDX-License-Identifier: Apache-2.0
#include "kvcal/compress/head_shares.hpp"

#include <gtest/gtest.h>

#include <numeric>

#include "support/error_text.hpp"

namespace kvcal {
namespace {

/// Head 0 gains from every entry, head 1 from none.
InfluenceCurves one_greedy_head() {
  return {{0, 1}, {{1, 0}, {0, 0}}};
}

TEST(HeadShares, LossesAreLinearBetweenPointsAndFlatBeyond) {
  const InfluenceCurves curves{{0.1, 0.3}, {{2, 1}}};
  EXPECT_DOUBLE_EQ(curves.loss(0, 0.2), 1.5);
  EXPECT_DOUBLE_EQ(curves.loss(0, 0.0), 2);
  EXPECT_DOUBLE_EQ(curves.loss(0, 0.9), 1);
}

TEST(HeadShares, WhoGainsGetsAllThatCanBeGiven) {
  const std::vector<double> targets{0.1};
  const auto shares = swap_shares(one_greedy_head(), targets, 0.2);
  EXPECT_NEAR(shares[0], 0.9, 1e-9);  // who has no more than a step gives nothing
  EXPECT_NEAR(shares[1], 0.1, 1e-9);
  const auto ratios = swap_ratios(one_greedy_head(), 0.5, 0.1);
  EXPECT_NEAR(ratios[0], 1.0, 1e-9);
  EXPECT_NEAR(ratios[1], 0.0, 1e-9);
}

TEST(HeadShares, GreedyGetsStuckBehindABumpThatSwapsStartBeyond) {
  // Head 0 gets worse before it gets much better; head 1 gets a little better.
  const InfluenceCurves curves{{0, 0.1, 1}, {{1, 2, -5}, {0, -0.01, -0.1}}};
  const double greedy = curves.loss(0, greedy_ratios(curves, 0.4, 0.05)[0]);
  const double swapped = curves.loss(0, swap_ratios(curves, 0.4, 0.05)[0]);
  EXPECT_EQ(greedy, 1);
  EXPECT_LT(swapped, -3);
}

TEST(HeadShares, SmoothingAveragesNeighboursAndKeepsTheEnds) {
  const InfluenceCurves curves{{0, 1, 2, 3}, {{0, 3, 6, 3}}};
  EXPECT_EQ(curves.smoothed(3).losses[0], (std::vector<double>{1.5, 3, 4, 4.5}));
  EXPECT_EQ(curves.smoothed(1).losses[0], curves.losses[0]);
}

TEST(HeadShares, CappedSharesAreNeverAboveTheCapAndStillAllThereIs) {
  // The first cut lifts the second head above the cap.
  const auto capped = cap_shares(std::vector<double>{0.7, 0.25, 0.05}, 0.4);
  EXPECT_NEAR(capped[0], 0.4, 1e-12);
  EXPECT_NEAR(capped[1], 0.4, 1e-12);
  EXPECT_NEAR(capped[2], 0.2, 1e-12);
  const auto even = cap_shares(std::vector<double>{1, 0, 0}, 0.5);
  EXPECT_NEAR(even[1], 0.25, 1e-12);
}

TEST(HeadShares, MistakesAreRefused) {
  EXPECT_EQ(test::error_text(Kind::config,
                             [] {
                               cap_shares(std::vector<double>{0.5, 0.5}, 0.4);
                             }),
            "2 heads may have 0.4 each, less than all: need >= 0.5");
  const InfluenceCurves uneven{{0, 1}, {{1}}};
  EXPECT_EQ(test::error_text(Kind::shape, [&] { swap_ratios(uneven, 0.5); }),
            "an influence curve has 1 points, need 2");
}

}  // namespace
}  // namespace kvcal
