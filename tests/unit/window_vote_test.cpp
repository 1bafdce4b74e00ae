// SPDX-License-Identifier: Apache-2.0
#include <ATen/ATen.h>
#include <gtest/gtest.h>

#include "kvcal/compress/scorer.hpp"
#include "support/error_text.hpp"
#include "support/random_layer.hpp"
#include "support/scorer_case.hpp"

namespace kvcal {
namespace {

using test::make_scorer;
using Values = std::map<std::string, ParamValue>;

/// Saturated attention: the one query of head h looks at token looked_at[h] only.
LayerView looking_at(int64_t layer, const std::vector<int64_t>& looked_at, int64_t kv_heads,
                     int64_t tokens, const ProfileFacts* profile) {
  LayerView view;
  view.layer = layer;
  view.keys = at::eye(tokens).mul(1000).expand({kv_heads, tokens, tokens}).contiguous();
  view.values = at::ones({kv_heads, tokens, 2});
  view.queries = at::zeros({static_cast<int64_t>(looked_at.size()), 1, tokens});
  for (size_t h = 0; h < looked_at.size(); ++h) {
    view.queries[static_cast<int64_t>(h)].select(1, looked_at[h]).fill_(1);
  }
  view.profile = profile;
  return view;
}

/// Scores of the tokens before the last one, which is the window.
void expect_past(const at::Tensor& scores, int64_t kv_head, const std::vector<float>& expected) {
  const auto past = scores[kv_head].narrow(0, 0, static_cast<int64_t>(expected.size()));
  EXPECT_TRUE(at::allclose(past, at::tensor(expected))) << past;
}

Values one_token(Values more) {
  more.try_emplace("window_tokens", int64_t{1});
  more.try_emplace("pool_kernel", int64_t{1});
  return more;
}

class WindowVoteEquals : public testing::Test {
 protected:
  WindowVoteEquals() : profile_(test::plain_profile(1, 6, 2)) {
    std::mt19937 random(7);
    test::LayerShape shape;
    shape.group = 3;
    view_ = test::random_layer(random, shape, &profile_);
    // The ranking of srh_window and the scores of window_vote say the same.
    profile_.head_kinds["semantic"] = {{1, 6, 3, 5, 2, 4}};
    profile_.semantic_ranking = {{1, 3, 5, 2, 4, 0}};
  }
  ProfileFacts profile_;
  LayerView view_;
};

TEST_F(WindowVoteEquals, SrhWindowWithItsDefaults) {
  EXPECT_TRUE(at::allclose(make_scorer("window_vote")->score(view_),
                           make_scorer("srh_window")->score(view_)));
}

TEST_F(WindowVoteEquals, SnapKvWhereAllHeadsVoteForTheirKvHead) {
  const Values shared{{"window_tokens", int64_t{8}}, {"pool_kernel", int64_t{5}}, {"pool", "avg"}};
  Values votes = shared;
  votes.insert({{"voters", "all"}, {"ranking", "kv_head"}});
  EXPECT_TRUE(at::allclose(make_scorer("window_vote", votes)->score(view_),
                           make_scorer("snapkv", shared)->score(view_)));
}

TEST(WindowVote, TheBestHeadOfTheModelDecidesForAllLayers) {
  ProfileFacts profile;
  profile.head_kinds["semantic"] = {{.1, .2}, {.9, .3}};
  const std::vector<LayerView> layers{looking_at(0, {0, 1}, 1, 4, &profile),
                                      looking_at(1, {2, 0}, 1, 4, &profile)};
  const auto scorer =
      make_scorer("window_vote", one_token({{"scope", "model"}, {"voter_heads", int64_t{1}}}));
  const auto scores = scorer->score_all(layers);
  expect_past(scores[0], 0, {0, 0, 1});  // head 0 of layer 1
  expect_past(scores[1], 0, {0, 0, 1});
}

TEST(WindowVote, RandomHeadsAreThoseOfTheSeed) {
  const auto view = looking_at(0, {0, 1, 2, 3, 4, 5}, 1, 7, nullptr);
  const auto of_seed = [&](int64_t seed) {
    return make_scorer(
               "window_vote",
               one_token({{"voters", "random"}, {"voter_heads", int64_t{2}}, {"voter_seed", seed}}))
        ->score(view);
  };
  EXPECT_TRUE(at::equal(of_seed(3), of_seed(3)));
  bool has_differed = false;
  for (int64_t seed = 0; seed < 8; ++seed) has_differed |= !at::equal(of_seed(3), of_seed(seed));
  EXPECT_TRUE(has_differed);
}

TEST(WindowVote, SpansGrowAroundPeaks) {
  const auto view = looking_at(0, {2, 2}, 1, 7, nullptr);
  const auto scores =
      make_scorer("window_vote",
                  one_token({{"voters", "all"}, {"pool", "grow"}, {"pool_kernel", int64_t{3}}}))
          ->score(view);
  expect_past(scores, 0, {0, .5, 1, .5, 0, 0});
}

TEST(WindowVote, ATokenHasTheLargestScoreOfItsSentence) {
  auto view = looking_at(0, {2, 2}, 1, 7, nullptr);
  view.sentences = at::tensor({0, 0, 1, 1, 1, 2, 2}).to(at::kLong);
  const auto scores =
      make_scorer("window_vote", one_token({{"voters", "all"}, {"pool", "sentence"}}))->score(view);
  expect_past(scores, 0, {0, 0, 1, 1, 1, 0});
}

TEST(WindowVote, AKvHeadWithoutAVoterTakesTheLayers) {
  ProfileFacts profile;
  profile.head_kinds["semantic"] = {{9, 8, 0, 0}};
  const auto view = looking_at(0, {0, 1, 2, 2}, 2, 4, &profile);
  const auto scores =
      make_scorer("window_vote", one_token({{"voter_heads", int64_t{2}}, {"ranking", "kv_head"}}))
          ->score(view);
  expect_past(scores, 0, {.5, .5, 0});
  expect_past(scores, 1, {.5, .5, 0});
}

TEST(WindowVote, SinksAndLastTokensAreKept) {
  const auto view = looking_at(0, {3, 3}, 1, 7, nullptr);
  const auto scores = make_scorer("window_vote", one_token({{"voters", "all"},
                                                            {"sink_tokens", int64_t{2}},
                                                            {"protected_tokens", int64_t{3}}}))
                          ->score(view);
  EXPECT_TRUE(at::equal(at::isposinf(scores)[0], at::tensor({1, 1, 0, 0, 1, 1, 1}).to(at::kBool)));
}

TEST(WindowVote, ScoresAreWeighedByTheValuesNorm) {
  auto view = looking_at(0, {1, 2}, 1, 4, nullptr);
  view.values[0][2].fill_(3);
  const auto scores =
      make_scorer("window_vote", one_token({{"voters", "all"}, {"use_value_norm", true}}))
          ->score(view);
  EXPECT_NEAR((scores[0][2] / scores[0][1]).item<double>(), 3, 1e-5);
}

TEST(WindowVote, NamesTheHeadScoresThatAreMissing) {
  const ProfileFacts profile;
  const auto view = looking_at(0, {0, 1, 2, 3}, 1, 6, &profile);
  const auto scorer = make_scorer("window_vote", one_token({{"voters", "window"}}));
  EXPECT_TRUE(scorer->needs().head_kinds.contains("window"));
  EXPECT_EQ(test::error_text(Kind::config, [&] { scorer->score(view); }),
            "window_vote needs window head scores of a profile: run srh-identify");
}

}  // namespace
}  // namespace kvcal
