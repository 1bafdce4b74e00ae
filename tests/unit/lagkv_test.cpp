// SPDX-License-Identifier: Apache-2.0
#include <ATen/ATen.h>
#include <gtest/gtest.h>

#include <cmath>

#include "kvcal/compress/keep_set.hpp"
#include "kvcal/compress/scorer.hpp"
#include "support/numbers.hpp"

namespace kvcal {
namespace {

/// Partitions of two tokens; keys and values the same, two channels.
at::Tensor score(const std::vector<float>& states, int64_t sinks, bool cross_scoring = false) {
  LayerView view;
  view.keys = view.values = at::tensor(states).view({1, -1, 2});
  const ParamMap params{{"sink_tokens", {sinks, "test"}},
                        {"lag_tokens", {int64_t{2}, "test"}},
                        {"cross_scoring", {cross_scoring, "test"}}};
  return find_scorer("lagkv").make(params)->score(view)[0];  // [tokens]
}

void expect_scores(const at::Tensor& got, std::vector<float> expected) {
  EXPECT_TRUE(at::allclose(got, at::tensor(expected))) << got;
}

using test::kInfinity;

TEST(LagKv, RanksATokenByItsSpreadInTheNextPartitionsRange) {
  // The reference spans 0 .. 1 in both channels; token 0 spreads (0, 1), token 1 not at all.
  expect_scores(score({0, 1, 1, 1, 0, 0, 1, 1}, 0), {.5, 0, 1, 1.5});
  // Scaled by a reference of 0 .. 10 and 0 .. 1: token 1 is (.1, 1), token 0 (.5, .5).
  expect_scores(score({5, .5, 1, 1, 0, 0, 10, 1}, 0), {0, .5, 1, 1.5});
}

TEST(LagKv, CrossScoringKeepsTheSoftmaxItself) {
  // Standard deviations sqrt(1/2) and 0.
  const float share = 1 / (1 + std::exp(-std::sqrt(.5F)));
  expect_scores(score({0, 1, 1, 1, 0, 0, 1, 1}, 0, true), {share, 1 - share, 1, 1.5});
}

TEST(LagKv, SinksAreProtectedAndTheUnrankedEndPrefersLaterTokens) {
  // One sink, two ranked tokens, a reference of two, one token over.
  const auto scores = score({7, 7, 0, 1, 1, 1, 0, 0, 1, 1, 9, 9}, 1);
  expect_scores(scores, {kInfinity, .5, 0, 1, 1 + 1.F / 3, 1 + 2.F / 3});
  const auto keep = select_top(scores.unsqueeze(0), at::full({1}, 3, at::kLong));
  EXPECT_TRUE(at::equal(keep.indices, at::tensor({0, 4, 5}).to(at::kLong)));
}

TEST(LagKv, APromptWithoutTwoPartitionsKeepsItsLastTokens) {
  expect_scores(score({1, 2, 3, 4, 5, 6}, 0), {1, 1 + 1.F / 3, 1 + 2.F / 3});
  expect_scores(score({1, 2}, 4), {kInfinity});
}

TEST(LagKv, AChannelWithoutSpreadCountsAsZeroAndTheEarlierOfEqualTokensRanksHigher) {
  expect_scores(score({5, 7, 1, 2, 3, 3, 3, 3}, 0), {.5, 0, 1, 1.5});
}

}  // namespace
}  // namespace kvcal
