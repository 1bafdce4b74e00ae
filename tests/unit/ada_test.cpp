// SPDX-License-Identifier: Apache-2.0
// Both of Ada-KV's splits of a layer: ada and ada_kvf.
#include <ATen/ATen.h>
#include <gtest/gtest.h>

#include <limits>

#include "kvcal/compress/allocator.hpp"
#include "support/error_text.hpp"
#include "support/random_layer.hpp"

namespace kvcal {
namespace {

using Counts = std::vector<int64_t>;

Counts split(std::string_view allocator, const ParamMap& params, const at::Tensor& scores,
             int64_t budget) {
  auto request = test::request_of(1, scores.size(0), scores.size(1), budget);
  const std::vector<at::Tensor> layers{scores};
  request.scores = layers;
  const auto kept = find_allocator(allocator).make(params)->allocate(request);
  Counts counts;
  for (int64_t k = 0; k < scores.size(0); ++k) counts.push_back(kept[0][k].item<int64_t>());
  return counts;
}

/// The first KV head has all the high scores.
at::Tensor unequal_heads() {
  return at::tensor({.9f, .8f, .7f, .6f, .5f, .4f, .3f, .2f,  //
                     .10f, .09f, .08f, .07f, .06f, .05f, .04f, .03f})
      .view({2, 8});
}

Counts with_alpha(double alpha) {
  return split("ada", {{"alpha", {alpha, "test"}}}, unequal_heads(), 4);
}

TEST(Ada, TheBestScoresOfTheLayerStayBesidesTheGuaranteedOnes) {
  EXPECT_EQ(with_alpha(0), (Counts{8, 0}));
  EXPECT_EQ(with_alpha(.2), (Counts{7, 1}));  // floor(0.8) = 0, but at least one
  EXPECT_EQ(with_alpha(.5), (Counts{6, 2}));
  EXPECT_EQ(with_alpha(1), (Counts{4, 4}));
}

TEST(Ada, EqualScoresAtTheCutGoToTheFirstHead) {
  const auto scores = at::ones({3, 4});
  EXPECT_EQ(split("ada", {{"alpha", {0.0, "test"}}}, scores, 2), (Counts{4, 2, 0}));
}

TEST(Ada, ProtectedEntriesAreSure) {
  auto scores = unequal_heads();
  scores[1].narrow(0, 5, 3).fill_(std::numeric_limits<float>::infinity());
  EXPECT_EQ(split("ada", {}, scores, 4), (Counts{5, 3}));
}

TEST(Ada, RefusesWhatCannotBeSure) {
  auto scores = unequal_heads();
  scores[1].fill_(std::numeric_limits<float>::infinity());
  EXPECT_EQ(test::error_text(Kind::config, [&] { split("ada", {}, scores, 4); }),
            "layer 0: 9 entries are protected or sure, the layer's budget is 8; need a larger "
            "budget or a smaller alpha");
  scores[0][0] = std::numeric_limits<float>::quiet_NaN();
  test::error_text(Kind::numeric, [&] { split("ada", {}, scores, 5); });
}

/// Scores before a window of one token.
Counts kvf(int64_t past_budget, bool normalize) {
  const float inf = std::numeric_limits<float>::infinity();
  const auto scores = at::tensor({.50f, .20f, .11f, .09f, .06f, .04f, 0.f, 0.f, inf,  //
                                  .16f, .15f, .14f, .13f, .12f, .10f, .10f, .10f, inf})
                          .view({2, 9});
  return split("ada_kvf",
               {{"window_tokens", {int64_t{1}, "test"}}, {"normalize", {normalize, "test"}}},
               scores, past_budget + 1);
}

TEST(AdaKvf, BlendsWhatWasWonWithAnEvenSplitAndMissesTheTotal) {
  // b = 4: c = 3, 5 and f = 0, so round(2.4), round(4): 6 instead of 8; the window on top.
  EXPECT_EQ(kvf(4, false), (Counts{3, 5}));
  // b = 5: c = 3, 7 and f = 1.
  EXPECT_EQ(kvf(5, false), (Counts{4, 8}));
  EXPECT_FALSE(find_allocator("ada_kvf").make({})->is_exact());
}

TEST(AdaKvf, NormalizingFavoursConcentratedHeads) {
  EXPECT_EQ(kvf(4, true), (Counts{4, 4}));  // c = 4, 4
}

TEST(AdaKvf, AHeadWithoutAttentionDoesNoHarm) {
  auto scores = at::zeros({2, 9});
  scores[1].fill_(.5);
  const auto counts = split("ada_kvf", {{"window_tokens", {int64_t{1}, "test"}}}, scores, 3);
  EXPECT_EQ(counts, (Counts{1, 4}));  // c = 0, 4 of b = 2: round(0), round(3.2)
}

}  // namespace
}  // namespace kvcal
