// SPDX-License-Identifier: Apache-2.0
#include "kvcal/profile/area.hpp"

#include <gtest/gtest.h>

#include <cmath>

#include "support/error_text.hpp"

namespace kvcal {
namespace {

/// A prompt of 100 tokens in one layer and KV head; `kept` of them stay.
SampleRecord record(const std::string& method, const std::string& sample, int64_t kept,
                    double score) {
  SampleRecord r;
  r.task = "t", r.metric = "m", r.visibility = "aware", r.method = method, r.sample = sample;
  r.budget = method == "full" ? "full" : std::to_string(kept);
  r.prompt_tokens = 100, r.kept_entries = kept, r.score = score;
  return r;
}

Results results_of(std::vector<SampleRecord> records) {
  Results results;
  results.model.layers = results.model.kv_heads = 1;
  results.records = std::move(records);
  return results;
}

TEST(TrapezoidWeights, AreThoseOfTheRuleOverTheWholeRange) {
  EXPECT_EQ(trapezoid_weights(std::vector<double>{0, 1, 3}, 0, 3),
            (std::vector<double>{0.5 / 3, 1.5 / 3, 1.0 / 3}));
}

TEST(TrapezoidWeights, CutPiecesAtBothEnds) {
  // y = 2 x + 1 through the points: its mean over 0.5 .. 2 is that in the middle, 3.5.
  const std::vector<double> x = {0, 1, 3}, y = {1, 3, 7};
  const auto weights = trapezoid_weights(x, 0.5, 2);
  EXPECT_NEAR(weights[0] * y[0] + weights[1] * y[1] + weights[2] * y[2], 3.5, 1e-12);
  EXPECT_NEAR(weights[0] + weights[1] + weights[2], 1, 1e-12);
}

TEST(TrapezoidWeights, ARangeOutsideThePointsIsRefused) {
  test::error_text(Kind::internal, [] { trapezoid_weights(std::vector<double>{0, 1}, 0, 2); });
}

TEST(Area, IsTheMeanScoreOverLogShare) {
  // Shares 1/16, 1/8, 1/2: log2 -4, -3, -1; scores 0, 0.5, 1: (0.25 * 1 + 0.75 * 2) / 3.
  const auto list = areas(results_of({record("full", "a", 160, 0.8), record("snapkv", "a", 50, 1),
                                      record("snapkv", "a", 12, 0.5), record("snapkv", "a", 6, 0)}),
                          0);
  ASSERT_EQ(list.size(), 1u);
  const double low = std::log2(0.06), middle = std::log2(0.12), high = std::log2(0.5);
  const double area = (0.25 * (middle - low) + 0.75 * (high - middle)) / (high - low);
  EXPECT_NEAR(list[0].area, area, 1e-12);
  EXPECT_NEAR(*list[0].relative_to_full, area / 0.8, 1e-12);
  EXPECT_NEAR(list[0].share_low, 0.06, 1e-12);
  EXPECT_NEAR(list[0].share_high, 0.5, 1e-12);
  EXPECT_EQ(list[0].budgets, 3);
  EXPECT_EQ(list[0].n, 1);
  EXPECT_FALSE(list[0].ci_low) << "one sample has no interval";
}

TEST(Area, IsTakenOverWhatAllMethodsHaveInCommon) {
  const auto list =
      areas(results_of({record("a", "s", 10, 1), record("a", "s", 20, 0), record("a", "s", 40, 0),
                        record("b", "s", 20, 1), record("b", "s", 40, 1), record("c", "s", 99, 0)}),
            0);
  ASSERT_EQ(list.size(), 2u) << "one budget makes no area and narrows no range";
  EXPECT_EQ(list[0].method, "a");
  EXPECT_NEAR(list[0].share_low, 0.2, 1e-12);
  EXPECT_EQ(list[0].area, 0);
  EXPECT_EQ(list[1].area, 1);
  EXPECT_FALSE(list[0].relative_to_full) << "there is no full cache";
}

TEST(Area, RangesWithoutACommonPartHaveNone) {
  EXPECT_TRUE(areas(results_of({record("a", "s", 10, 1), record("a", "s", 20, 0),
                                record("b", "s", 30, 1), record("b", "s", 40, 1)}),
                    0)
                  .empty());
}

TEST(Area, SamplesThatOneBudgetKeptWholeAreLeftOut) {
  auto whole = record("a", "short", 100, 1);
  whole.budget = "40", whole.uncompressed = true;
  const auto list = areas(results_of({record("a", "long", 10, 0.2), record("a", "long", 40, 0.4),
                                      record("a", "short", 10, 1), whole}),
                          0);
  EXPECT_EQ(list.at(0).n, 1);
  EXPECT_NEAR(list.at(0).area, 0.3, 1e-12);
}

TEST(Area, ItsIntervalIsPairedWithTheFullCache) {
  std::vector<SampleRecord> records;
  for (int i = 0; i < 12; ++i) {
    const std::string sample(1, static_cast<char>('a' + i));
    const double full = (i % 4 + 1) / 4.0;
    records.push_back(record("full", sample, 100, full));
    records.push_back(record("snapkv", sample, 10, full / 2));
    records.push_back(record("snapkv", sample, 40, full / 2));
  }
  const Area area = areas(results_of(records), 0).at(0);
  EXPECT_NEAR(*area.relative_to_full, 0.5, 1e-12);
  EXPECT_NEAR(*area.relative_ci_low, 0.5, 1e-12) << "half of it in every resample";
  EXPECT_NEAR(*area.relative_ci_high, 0.5, 1e-12);
  EXPECT_LT(*area.ci_low, area.area - 0.05);
}

}  // namespace
}  // namespace kvcal
