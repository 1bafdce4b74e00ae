// SPDX-License-Identifier: Apache-2.0
#include <ATen/ATen.h>
#include <gtest/gtest.h>

#include "kvcal/compress/allocator.hpp"
#include "support/error_text.hpp"
#include "support/random_layer.hpp"

namespace kvcal {
namespace {

using Budgets = std::vector<int64_t>;

/// CompressKV's limits: 32 and three budgets.
Budgets split(const std::vector<double>& importance, int64_t budget) {
  return allocate_by_layer_error(importance, budget * static_cast<int64_t>(importance.size()), 32,
                                 3 * budget);
}

TEST(LayerError, SharesWhatIsAboveTheMinimumByImportance) {
  EXPECT_EQ(split({.4, .3, .2, .1}, 64), (Budgets{83, 70, 58, 45}));  // 32 + 51, 38, 26, 13
}

TEST(LayerError, ATokenTooMuchIsTakenFromTheLeastImportantLayer) {
  EXPECT_EQ(split({.13, .29, .33, .25}, 37),
            (Budgets{34, 38, 39, 37}));  // extras 3, 6, 7, 5 = 21 > 20
}

TEST(LayerError, OfEquallyUnimportantLayersTheFirstGives) {
  EXPECT_EQ(split({.7, .1, .1, .1}, 64), (Budgets{122, 44, 45, 45}));
}

TEST(LayerError, WhatTheMaximumCutsGoesToTheOthers) {
  EXPECT_EQ(split({.94, .02, .02, .02}, 128), (Budgets{384, 43, 43, 42}));
}

TEST(LayerError, LayersWithoutErrorKeepTheMinimum) {
  EXPECT_EQ(split({.5, .5, 0, 0}, 33), (Budgets{34, 34, 32, 32}));
}

TEST(LayerError, BelowTheMinimumTheBareRuleExceedsTheBudget) {
  // What CompressKV does; the allocator below refuses it.
  EXPECT_EQ(split({.25, .25, .25, .25}, 16), (Budgets{32, 32, 32, 32}));
}

TEST(LayerError, HalvesRoundToEven) {
  // 10 above the minimum: shares 2.5, 2.5, 5 -> 2, 2, 5; the missing token goes to the third.
  EXPECT_EQ(allocate_by_layer_error(std::vector{.25, .25, .5}, 13, 1, 13), (Budgets{3, 3, 7}));
}

at::Tensor allocate(const std::vector<double>& importance, int64_t budget, int64_t tokens) {
  ProfileFacts profile;
  profile.layer_error = importance;
  auto request = test::request_of(static_cast<int64_t>(importance.size()), 2, tokens, budget);
  request.profile = &profile;
  return find_allocator("layer_error").make({})->allocate(request);
}

TEST(LayerError, EveryKvHeadOfALayerKeepsTheLayersBudget) {
  const auto kept = allocate({.4, .3, .2, .1}, 64, 1000);
  const auto expected = at::tensor(Budgets{83, 83, 70, 70, 58, 58, 45, 45}, at::kLong).view({4, 2});
  EXPECT_TRUE(at::equal(kept, expected)) << kept;
}

TEST(LayerError, AShortPromptCapsALayerAndTheTotalStaysExact) {
  const auto kept =
      allocate({.94, .02, .02, .02}, 128, 200);  // the first layer alone would want 384
  EXPECT_EQ(kept[0][0].item<int64_t>(), 200);
  EXPECT_EQ(kept.sum().item<int64_t>(), 128 * 4 * 2);
}

TEST(LayerError, RefusesABudgetBelowTheMinimum) {
  EXPECT_EQ(test::error_text(Kind::config,
                             [] {
                               allocate({.25, .25, .25, .25}, 16, 1000);
                             }),
            "budget_tokens = 16, need 32 (min_tokens) .. 1000 (prompt tokens)");
}

TEST(LayerError, RefusesErrorsThatAreNoShares) {
  EXPECT_EQ(test::error_text(Kind::config,
                             [] {
                               allocate({.5, .4}, 64, 1000);
                             }),
            "layer errors of the profile sum to 0.9, need values >= 0 with sum 1");
  auto request = test::request_of(3, 2, 1000, 64);
  EXPECT_EQ(test::error_text(Kind::config,
                             [&] { find_allocator("layer_error").make({})->allocate(request); }),
            "layer_error needs the layer errors of a profile: run layer-budget");
  ProfileFacts profile;
  profile.layer_error = {.5, .5};
  request.profile = &profile;
  EXPECT_EQ(test::error_text(Kind::config,
                             [&] { find_allocator("layer_error").make({})->allocate(request); }),
            "the profile has errors of 2 layers, the model has 3");
}

}  // namespace
}  // namespace kvcal
