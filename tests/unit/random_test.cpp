// SPDX-License-Identifier: Apache-2.0
#include <ATen/ATen.h>
#include <gtest/gtest.h>

#include "kvcal/compress/scorer.hpp"

namespace kvcal {
namespace {

LayerView view_of(int64_t layer, uint64_t seed, int64_t tokens = 4000) {
  LayerView view;
  view.layer = layer;
  view.keys = at::zeros({2, tokens, 1});
  view.seed = seed;
  return view;
}

at::Tensor score(const LayerView& view, int64_t sinks = 0, int64_t window = 0) {
  const ParamMap params{{"sink_tokens", {sinks, "test"}}, {"window_tokens", {window, "test"}}};
  return find_scorer("random").make(params)->score(view);
}

TEST(Random, TheSameSeedGivesTheSameScores) {
  EXPECT_TRUE(at::equal(score(view_of(3, 7)), score(view_of(3, 7))));
}

TEST(Random, SeedLayerAndHeadAllChangeTheDraw) {
  const auto scores = score(view_of(3, 7));
  const auto correlation = [&](const at::Tensor& a, const at::Tensor& b) {
    return at::corrcoef(at::stack({a, b}))[0][1].abs().item<double>();
  };
  EXPECT_LT(correlation(scores[0], score(view_of(3, 8))[0]), 0.06);
  EXPECT_LT(correlation(scores[0], score(view_of(4, 7))[0]), 0.06);
  EXPECT_LT(correlation(scores[0], scores[1]), 0.06);
}

TEST(Random, ScoresAreUniform) {
  const auto scores = score(view_of(0, 1));
  EXPECT_NEAR(scores.mean().item<double>(), 0.5, 0.02);
  EXPECT_NEAR(scores.var().item<double>(), 1.0 / 12, 0.005);
  EXPECT_GE(scores.min().item<float>(), 0);
  EXPECT_LT(scores.max().item<float>(), 1);
}

TEST(Random, ALongerPromptDoesNotChangeTheScoresOfItsBeginning) {
  EXPECT_TRUE(at::equal(score(view_of(0, 1, 10))[0], score(view_of(0, 1, 20))[0].narrow(0, 0, 10)));
}

TEST(Random, ProtectsSinksAndWindow) {
  const auto is_protected = at::isposinf(score(view_of(0, 1, 6), 1, 2))[1];
  EXPECT_TRUE(at::equal(is_protected, at::tensor({1, 0, 0, 0, 1, 1}).to(at::kBool)));
}

TEST(Random, NeedsABudgetBeyondTheProtectedTokens) {
  EXPECT_EQ(find_scorer("random").make({})->needs().min_budget_tokens, 9);
}

}  // namespace
}  // namespace kvcal
