// SPDX-License-Identifier: Apache-2.0
#include "cost_split.hpp"

#include <ATen/ATen.h>
#include <gtest/gtest.h>

#include <functional>
#include <numeric>
#include <random>

#include "support/error_text.hpp"
#include "support/random_layer.hpp"

namespace kvcal {
namespace {

/// Loss of a unit at `entries`, on straight lines between the points; left of the first: the
/// first's.
double loss_at(const CostCurves& curves, size_t unit, double entries, double tokens) {
  const auto& losses = curves.losses[unit];
  for (size_t i = 0; i < losses.size(); ++i) {
    const double right = curves.shares[i] * tokens;
    if (entries > right) continue;
    if (i == 0) return losses[0];
    const double left = curves.shares[i - 1] * tokens;
    return losses[i - 1] + (losses[i] - losses[i - 1]) * (entries - left) / (right - left);
  }
  return losses.back();
}

double total_loss(const CostCurves& curves, const std::vector<double>& kept, double tokens) {
  double sum = 0;
  for (size_t unit = 0; unit < kept.size(); ++unit) {
    sum += loss_at(curves, unit, kept[unit], tokens);
  }
  return sum;
}

TEST(CostSplit, TheUnitThatSavesMoreIsFilledFirst) {
  // From 10 % on, unit 0 saves 0.1 an entry up to 20 and then nothing, unit 1 0.01 all the way.
  const CostCurves curves{{.1, .2, 1}, {{1, 0, 0}, {.9, .8, 0}}};
  const std::vector<int64_t> least{10, 10};
  const auto kept = split_by_cost(curves, least, 100, 100, 40);
  EXPECT_NEAR(kept[0], 20, 1e-9);
  EXPECT_NEAR(kept[1], 20, 1e-9);
}

TEST(CostSplit, APlateauBeforeAFallIsCrossedByTheHull) {
  // Unit 0 gains nothing up to 50 entries and everything at 60; unit 1 little, evenly.
  const CostCurves curves{{.1, .5, .6, 1}, {{10, 10, 0, 0}, {1, .6, .5, .1}}};
  const std::vector<int64_t> least{10, 10};
  EXPECT_NEAR(split_by_cost(curves, least, 100, 100, 70)[0], 60, 1e-9);
}

TEST(CostSplit, WhatSavesNothingIsSpreadEvenly) {
  const CostCurves curves{{.5, 1}, {{0, 0}, {0, 0}, {0, 0}}};
  const std::vector<int64_t> least{1, 2, 3};
  const auto kept = split_by_cost(curves, least, 10, 10, 18);
  EXPECT_EQ(kept, (std::vector<double>{5, 6, 7}));
}

TEST(CostSplit, NoOtherSplitOfConvexCurvesIsBetter) {
  for (unsigned seed = 0; seed < 30; ++seed) {
    std::mt19937 random(seed);
    const int64_t units = test::pick(random, 2, 3), tokens = 20;
    CostCurves curves{{.1, .25, .5, 1}, {}};
    for (int64_t u = 0; u < units; ++u) {  // slopes that get flatter: convex
      std::vector<double> slopes;
      for (int i = 0; i < 3; ++i) slopes.push_back(static_cast<double>(test::pick(random, 0, 50)));
      std::sort(slopes.begin(), slopes.end(), std::greater<>());
      std::vector<double> losses(4, 0);
      for (int i = 2; i >= 0; --i) {
        losses[i] = losses[i + 1] + slopes[i] * (curves.shares[i + 1] - curves.shares[i]);
      }
      curves.losses.push_back(losses);
    }
    const std::vector<int64_t> least(static_cast<size_t>(units), 2);
    const int64_t most = seed % 2 == 0 ? tokens : test::pick(random, 3, tokens);
    const int64_t total = test::pick(random, 2 * units, most * units);
    const auto kept = split_by_cost(curves, least, most, tokens, total);
    EXPECT_NEAR(std::accumulate(kept.begin(), kept.end(), 0.0), static_cast<double>(total), 1e-6);
    const double found = total_loss(curves, kept, static_cast<double>(tokens));
    // All splits into whole entries.
    std::vector<double> split(static_cast<size_t>(units));
    std::function<void(size_t, int64_t)> walk = [&](size_t unit, int64_t left) {
      if (unit + 1 == split.size()) {
        if (left < 2 || left > most) return;
        split[unit] = static_cast<double>(left);
        EXPECT_LE(found, total_loss(curves, split, static_cast<double>(tokens)) + 1e-9)
            << "seed " << seed;
        return;
      }
      for (int64_t entries = 2; entries <= std::min(left, most); ++entries) {
        split[unit] = static_cast<double>(entries);
        walk(unit + 1, left - entries);
      }
    };
    walk(0, total);
  }
}

TEST(CostSplit, NoUnitExceedsTheLimitButForWhatItKeepsInAnyCase) {
  const CostCurves curves{{.1, 1}, {{9, 0}, {1, 0}, {1, 0}}};
  const std::vector<int64_t> least{10, 10, 40};
  const auto kept = split_by_cost(curves, least, 30, 100, 85);
  EXPECT_EQ(kept, (std::vector<double>{30, 15, 40}));
  EXPECT_EQ(test::error_text(Kind::config, [&] { split_by_cost(curves, least, 30, 100, 101); }),
            "1 entries of the budget find no place where no layer or KV head keeps more than 30");
}

TEST(CostSplit, TheLimitIsInBudgets) {
  auto facts = test::plain_profile(3, 4, 2);
  facts.layer_costs = CostCurves{{.1, 1}, {{9, 0}, {1, 0}, {1, 0}}};
  auto request = test::request_of(3, 2, 100, 20);
  request.profile = &facts;
  const auto kept = [&](double ratio) {
    const ParamMap params{{"min_tokens", {int64_t{10}, "test"}}, {"max_ratio", {ratio, "test"}}};
    return find_allocator("kl").make(params)->allocate(request).select(1, 0);
  };
  EXPECT_TRUE(at::equal(kept(0), at::tensor({40, 10, 10}, at::kLong))) << kept(0);
  EXPECT_TRUE(at::equal(kept(1.5), at::tensor({30, 20, 10}, at::kLong))) << kept(1.5);
  EXPECT_EQ(test::error_text(Kind::config, [&] { kept(0.5); }),
            "max_ratio = 0.5, need at least 1, or 0 for no limit");
}

TEST(CostSplit, RefusesABudgetBelowWhatIsKeptInAnyCase) {
  const CostCurves curves{{.5, 1}, {{1, 0}, {1, 0}}};
  const std::vector<int64_t> least{4, 4};
  EXPECT_EQ(test::error_text(Kind::config, [&] { split_by_cost(curves, least, 10, 10, 7); }),
            "the budget of 7 entries is 1 short of what every layer or KV head keeps in any case");
}

}  // namespace
}  // namespace kvcal
