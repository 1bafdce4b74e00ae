// SPDX-License-Identifier: Apache-2.0
#include <ATen/ATen.h>
#include <gtest/gtest.h>

#include "kvcal/compress/allocator.hpp"
#include "kvcal/profile/profile.hpp"
#include "support/error_text.hpp"
#include "support/random_layer.hpp"

namespace kvcal {
namespace {

using Budgets = std::vector<int64_t>;

/// Entries of each layer's KV heads, 10 at least.
Budgets split(const ErrorCurves& curves, int64_t tokens, int64_t budget) {
  ProfileFacts facts;
  facts.layer_error_curves = curves;
  const auto layers = static_cast<int64_t>(curves.errors.size());
  auto request = test::request_of(layers, 2, tokens, budget);
  request.profile = &facts;
  const ParamMap params{{"min_tokens", {int64_t{10}, "test"}}};
  const auto kept = find_allocator("layer_error_curve").make(params)->allocate(request);
  EXPECT_TRUE(at::equal(kept.select(1, 0), kept.select(1, 1)));
  Budgets first;
  for (int64_t layer = 0; layer < layers; ++layer) first.push_back(kept[layer][0].item<int64_t>());
  return first;
}

TEST(LayerErrorCurve, AnEntryGoesWhereItTakesMostErrorAway) {
  // Per entry: layer 0 0.03 up to 20 and 0.005 up to 40, layer 1 0.01 and 0.008; then 0.001 or
  // less.
  const ErrorCurves curves{{10, 20, 40}, {{.5, .2, .1}, {.4, .3, .14}}};
  EXPECT_EQ(split(curves, 1000, 15), (Budgets{20, 10}));
  EXPECT_EQ(split(curves, 1000, 20), (Budgets{20, 20}));
  EXPECT_EQ(split(curves, 1000, 30), (Budgets{20, 40})) << "where layer_error gives layer 0 more";
  EXPECT_EQ(split(curves, 1000, 40), (Budgets{40, 40}));
}

TEST(LayerErrorCurve, APromptThatIsKeptWholeHasNoError) {
  // An entry takes 0.035, then 0.015 from layer 0; 0.02 from layer 1, if all 30 are kept.
  const ErrorCurves curves{{10, 20, 40}, {{.5, .15, .1}, {.4, .3, .14}}};
  EXPECT_EQ(split(curves, 30, 25), (Budgets{20, 30}));
}

TEST(LayerErrorCurve, CurvesAreMeansOverDatasetsAtTheBudgetsTheyShare) {
  Profile profile;
  profile.model.layers = 2;
  EXPECT_FALSE(profile.facts().layer_error_curves.has_value());
  profile.layer_errors["imported"] = {{1, 1}, 1};
  EXPECT_FALSE(profile.facts().layer_error_curves.has_value()) << "one budget is no curve";
  // Sums over 2 and 4 steps.
  profile.layer_errors["a"] = {{1, 1}, 2, {16, 32, 64}, {8, 9, 2, 4, 9, 1}};
  profile.layer_errors["b"] = {{1, 1}, 4, {16, 64}, {8, 4, 4, 2}};
  const auto curves = *profile.facts().layer_error_curves;
  EXPECT_EQ(curves.tokens, (Budgets{16, 64}));
  EXPECT_EQ(curves.errors, (std::vector<std::vector<double>>{{3, 1}, {1.5, .5}}));
}

TEST(LayerErrorCurve, NeedsTheCurves) {
  const auto request = test::request_of(2, 2, 100, 20);
  EXPECT_EQ(
      test::error_text(Kind::config,
                       [&] { find_allocator("layer_error_curve").make({})->allocate(request); }),
      "layer_error_curve needs the curves of a profile: run layer-budget --measure error");
}

}  // namespace
}  // namespace kvcal
