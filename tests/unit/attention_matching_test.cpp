// SPDX-License-Identifier: Apache-2.0
// Attention Matching on numbers that can be worked by hand, and on inputs that leave nothing to
// fit.
#include <ATen/ATen.h>
#include <gtest/gtest.h>

#include <cmath>

#include "kvcal/compress/chunks.hpp"
#include "support/error_text.hpp"
#include "support/matching_case.hpp"
#include "support/random_layer.hpp"

namespace kvcal {
namespace {

using test::match;

const double kLog2 = std::log(2.0);

at::Tensor column(std::vector<double> numbers) {
  return at::tensor(numbers, at::kFloat).unsqueeze(1);
}

/// Three keys whose exponentials are quarters, halves and ones.
LayerView worked_view() {
  return test::head_view(column({1, 0, -1}), column({0, kLog2, 2 * kLog2}), column({1, 2, 4}));
}

void expect_near(const at::Tensor& got, std::vector<double> expected) {
  ASSERT_EQ(got.numel(), static_cast<int64_t>(expected.size()));
  for (size_t i = 0; i < expected.size(); ++i) {
    EXPECT_NEAR(got.flatten()[static_cast<int64_t>(i)].item<double>(), expected[i], 1e-4) << i;
  }
}

TEST(AttentionMatching, FitsTwoOfThreeKeysAsWorkedByHand) {
  for (const std::string_view selector : {"top", "omp"}) {
    for (const std::string weights : {"clamped", "nnls"}) {
      SCOPED_TRACE(fmt::format("{} {}", selector, weights));
      const auto matched = match({selector, {{"weights", weights}}}, worked_view(), 2);
      EXPECT_TRUE(at::equal(matched.keep.indices, at::tensor({0, 2}, at::kLong)));
      expect_near(matched.layer.bias, {0.375789, 0.375789});  // log(83 / 57)
      expect_near(matched.layer.values, {1.277778, 3.420635});
    }
  }
}

TEST(AttentionMatching, OneKeyStandsForAll) {
  const auto matched = match({"omp"}, worked_view(), 1);
  EXPECT_TRUE(at::equal(matched.keep.indices, at::tensor({0}, at::kLong)));
  expect_near(matched.layer.bias, {0.922333});
  expect_near(matched.layer.values, {2.349206});  // the mean output
}

struct Random {
  LayerView view;
  at::Tensor held_out;  // [rows, head_dim]
};

/// Attention that is neither flat nor on one key.
Random random_head(unsigned seed, int64_t tokens, int64_t rows) {
  std::mt19937 random(seed);
  const auto make = [&](int64_t count) { return test::normal(random, {count, 8}) * 0.8; };
  Random made;
  made.view = test::head_view(make(rows), make(tokens), make(tokens));
  made.held_out = make(200);
  return made;
}

TEST(AttentionMatching, FitsHeldOutQueriesBetterThanEviction) {
  const auto made = random_head(1, 64, 300);
  const auto fitted = match({}, made.view, 16);
  const auto evicted =
      match({"top", {{"weights", "none"}, {"fitted_values", "direct"}}}, made.view, 16);
  const auto close = test::matching_errors(made.view, fitted.layer, made.held_out);
  const auto far = test::matching_errors(made.view, evicted.layer, made.held_out);
  EXPECT_LT(close[1].item<double>(), 0.8 * far[1].item<double>()) << "output";
  EXPECT_LT(close[3].item<double>(), 0.5 * far[3].item<double>()) << "mass";
}

TEST(AttentionMatching, AllEntriesStayWhatTheyAre) {
  const auto made = random_head(2, 24, 300);
  const auto matched = match({}, made.view, 24);
  EXPECT_LT(matched.layer.bias.abs().max().item<double>(), 1e-4);
  EXPECT_TRUE(at::allclose(matched.layer.values, made.view.values[0], 1e-3, 1e-3));
}

TEST(AttentionMatching, ProtectedEntriesStayBitForBit) {
  const auto made = random_head(3, 40, 200);
  for (const std::string_view selector : {"top", "omp"}) {
    const auto matched = match(
        {selector, {{"sink_tokens", int64_t{3}}, {"recent_tokens", int64_t{2}}}}, made.view, 12);
    const auto fixed = at::tensor({0, 1, 2, 38, 39}, at::kLong);
    const auto rows = at::isin(matched.keep.indices, fixed).nonzero().squeeze(1);
    ASSERT_EQ(rows.numel(), 5);
    EXPECT_TRUE(at::equal(matched.layer.values.index_select(0, rows),
                          made.view.values[0].index_select(0, fixed)));
    EXPECT_EQ(matched.layer.bias.index_select(0, rows).abs().max().item<double>(), 0);
    EXPECT_GT(matched.layer.bias.abs().max().item<double>(), 0);
  }
}

TEST(AttentionMatching, OnlyProtectedEntriesLeaveNothingToFit) {
  const auto made = random_head(4, 10, 50);
  const auto matched = match({"omp", {{"sink_tokens", int64_t{10}}}}, made.view, 10);
  EXPECT_TRUE(at::equal(matched.layer.values, made.view.values[0]));
}

TEST(AttentionMatching, DegenerateLayersGiveFiniteEntries) {
  auto same_keys = random_head(5, 20, 60).view;
  same_keys.keys.narrow(1, 10, 10).copy_(same_keys.keys.narrow(1, 0, 10).clone());
  auto one_key = random_head(6, 20, 60).view;
  one_key.keys.copy_(one_key.keys.narrow(1, 0, 1).expand_as(one_key.keys).clone());
  auto no_mass = random_head(7, 20, 60).view;  // nobody looks at the last half
  no_mass.bias = at::zeros({1, 20});
  no_mass.bias.narrow(1, 10, 10).fill_(-1e4);
  auto few_queries = random_head(8, 20, 3).view;
  for (const auto& view : {same_keys, one_key, no_mass, few_queries}) {
    for (const std::string_view selector : {"top", "omp"}) {
      for (const std::string weights : {"clamped", "nnls"}) {
        for (const std::string precision : {"f32", "f64"}) {
          for (const int64_t kept : {1, 2, 15, 20}) {
            const auto layer =
                match({selector, {{"weights", weights}, {"precision", precision}}}, view, kept)
                    .layer;
            EXPECT_EQ(layer.total_kept(), kept);
            EXPECT_TRUE(at::isfinite(layer.values).all().item<bool>());
            EXPECT_TRUE(at::isfinite(layer.bias).all().item<bool>());
          }
        }
      }
    }
  }
}

TEST(AttentionMatching, FitsInF32NearlyAsInF64) {
  const auto made = random_head(9, 64, 300);
  const auto wide = match({}, made.view, 8),
             narrow = match({"top", {{"precision", "f32"}}}, made.view, 8);
  EXPECT_TRUE(at::allclose(wide.layer.bias, narrow.layer.bias, 1e-3, 1e-3));
  EXPECT_TRUE(at::allclose(wide.layer.values, narrow.layer.values, 1e-2, 1e-2));
}

TEST(AttentionMatching, ARidgeTowardsTheOldValuesKeepsThem) {
  const auto made = random_head(10, 32, 100);
  const auto matched = match({"top", {{"ridge", 1e9}, {"ridge_to", "values"}}}, made.view, 8);
  const auto had = made.view.values[0].index_select(0, matched.keep.indices);
  EXPECT_TRUE(at::allclose(matched.layer.values, had, 1e-5, 1e-5));
}

/// A compacted head with new tokens behind it.
CacheLayer compacted_with_tail(const Random& made, int64_t kept, int64_t tail) {
  auto prefix = match({}, made.view, kept).layer;
  std::mt19937 random(11);
  return {prefix, test::normal(random, {1, tail, 8}), test::normal(random, {1, tail, 8})};
}

TEST(AttentionMatching, CompactsACompactedCacheWithNewTokens) {
  const auto made = random_head(12, 64, 300);
  auto view = view_of(compacted_with_tail(made, 32, 8));
  ASSERT_EQ(view.tokens(), 40);
  view.statistics = made.view.statistics;
  const auto right = match({}, view, 20);
  const auto theirs = match({"top", {{"forgets_bias", true}}}, view, 20);
  const auto close = test::matching_errors(view, right.layer, made.held_out);
  const auto far = test::matching_errors(view, theirs.layer, made.held_out);
  EXPECT_LT(close[3].item<double>(), 0.25) << "mass";
  EXPECT_LT(close[3].item<double>(), 0.5 * far[3].item<double>()) << "an old bias was lost";
}

TEST(AttentionMatching, AKvHeadWithFewerEntriesIsPadded) {
  CacheLayer layer;
  layer.prefix = {at::ones({3, 2}), at::ones({3, 2}), at::tensor({0.5, 0.25, 0.125}, at::kFloat),
                  at::tensor({0, 2, 3}, at::kLong)};
  layer.tail_keys = layer.tail_values = at::full({2, 1, 2}, 7.0);
  const auto view = view_of(layer);
  expect_near(view.bias[0], {0.5, 0.25, 0});
  expect_near(view.bias[1].narrow(0, 0, 2), {0.125, 0});
  EXPECT_TRUE(at::isneginf(view.bias[1][2]).item<bool>());
  EXPECT_EQ(view.keys[1][1][0].item<double>(), 7);
}

TEST(AttentionMatching, WithoutReferenceQueriesItSaysWhichAreMissing) {
  auto view = worked_view();
  view.statistics = {};
  EXPECT_EQ(test::error_text(Kind::shape, [&] { match({}, view, 2); }),
            "layer 0 has no reference queries of the source context");
}

}  // namespace
}  // namespace kvcal
