// SPDX-License-Identifier: Apache-2.0
#include <ATen/ATen.h>
#include <gtest/gtest.h>

#include "kvcal/compress/scorer.hpp"
#include "support/error_text.hpp"

namespace kvcal {
namespace {

at::Tensor score(const LayerView& view, int64_t heads) {
  const ParamMap params{{"srh_heads", {heads, "test"}},
                        {"window_tokens", {int64_t{1}, "test"}},
                        {"pool_kernel", {int64_t{1}, "test"}}};
  return find_scorer("srh_window").make(params)->score(view);
}

/// Four heads on two KV heads; head h looks at token h only. Layer 1 is the one that is scored.
LayerView four_heads(const ProfileFacts* profile) {
  LayerView view;
  view.layer = 1;
  view.keys = at::eye(5).mul(1000).expand({2, 5, 5}).contiguous();
  view.queries = at::eye(5).narrow(0, 0, 4).unsqueeze(1).contiguous();  // [heads, 1, head_dim]
  view.profile = profile;
  return view;
}

ProfileFacts ranked(std::vector<int64_t> of_layer_one) {
  ProfileFacts profile;
  profile.semantic_ranking = {{0, 1, 2, 3}, std::move(of_layer_one)};
  return profile;
}

TEST(SrhWindow, OnlyTheBestHeadsOfTheLayerScore) {
  const auto profile = ranked({3, 1, 0, 2});
  const auto scores = score(four_heads(&profile), 2);
  EXPECT_TRUE(at::allclose(scores[0].narrow(0, 0, 4), at::tensor({0.F, .5F, 0.F, .5F}))) << scores;
}

TEST(SrhWindow, AllKvHeadsShareOneRanking) {
  const auto profile = ranked({3, 1, 0, 2});
  const auto scores = score(four_heads(&profile), 1);
  EXPECT_TRUE(at::equal(scores[0], scores[1]));
  EXPECT_TRUE(at::equal(at::isposinf(scores[0]), at::tensor({0, 0, 0, 0, 1}).to(at::kBool)));
}

TEST(SrhWindow, AHeadReadsItsOwnKvHead) {
  // KV head 0 holds nothing to find: head 0 spreads over all five tokens, head 2 finds token 2.
  const auto profile = ranked({0, 2, 1, 3});
  auto view = four_heads(&profile);
  view.keys[0].zero_();
  const auto scores = score(view, 2);
  EXPECT_TRUE(at::allclose(scores[0].narrow(0, 0, 4), at::tensor({.1F, .1F, .6F, .1F}))) << scores;
}

TEST(SrhWindow, NeedsARankingThatFits) {
  const auto profile = ranked({3, 1, 0, 4});
  EXPECT_EQ(test::error_text(Kind::config, [&] { score(four_heads(&profile), 4); }),
            "the profile ranks head 4 in layer 1, need 0 .. 3");
  EXPECT_EQ(test::error_text(Kind::config, [&] { score(four_heads(&profile), 5); }),
            "srh_heads = 5, need <= 4 (heads ranked in layer 1)");
  EXPECT_EQ(test::error_text(Kind::config, [] { score(four_heads(nullptr), 1); }),
            "srh_window needs the semantic ranking of a profile: run srh-identify");
  auto view = four_heads(&profile);
  view.layer = 2;
  EXPECT_EQ(test::error_text(Kind::config, [&] { score(view, 1); }),
            "the profile ranks heads of 2 layers, the model has a layer 2");
}

TEST(SrhWindow, SaysWhatItNeeds) {
  const auto needs = find_scorer("srh_window").make({})->needs();
  EXPECT_TRUE(needs.semantic_ranking);
  EXPECT_EQ(needs.window_tokens, 8);
  EXPECT_EQ(needs.min_budget_tokens, 9);
}

}  // namespace
}  // namespace kvcal
