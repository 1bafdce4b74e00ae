// SPDX-License-Identifier: Apache-2.0
#include "kvcal/profile/identify.hpp"

#include <ATen/ATen.h>
#include <gtest/gtest.h>

#include <cmath>
#include <set>

#include "kvcal/compress/error.hpp"
#include "support/tiny_model_fixture.hpp"

namespace kvcal {
namespace {

/// Two heads on one KV head, head_dim 2, four prompt tokens. Head 0 looks at position 2 only and
/// head 1 at position 0 only: queries so long that softmax is one-hot.
struct OneHot {
  std::vector<at::Tensor> queries{at::tensor({100.f, 0.f, 0.f, 100.f}).reshape({2, 1, 2})};
  CompactCache cache{
      {CompactLayer{at::tensor({0.f, 9.f, 0.f, 0.f, 9.f, 0.f, 0.f, 0.f}).reshape({4, 2}),
                    at::zeros({4, 2}), at::Tensor(), at::tensor({0, 4}, at::kLong)}},
      4,
      1};

  OneHot() {
    cache.append(0, at::zeros({1, 1, 2}), at::zeros({1, 1, 2}));
    cache.commit(1);
  }
  void choose(int64_t id, RetrievalScores& scores) const { scores.add({queries, cache, {&id, 1}}); }
};

TEST(RetrievalScores, MassOnTheAnswerCountsWhenATokenOfTheAnswerIsEmitted) {
  const OneHot layer;
  RetrievalScores scores(1, 2, {50, 60, 70, 80}, {2, 4}, false);
  layer.choose(70, scores);
  EXPECT_NEAR(scores.semantic()[0], 1.0, 1e-5);
  EXPECT_NEAR(scores.semantic()[1], 0.0, 1e-5);
  layer.choose(50, scores);  // not a token of the answer: nothing is added
  EXPECT_NEAR(scores.semantic()[0], 1.0, 1e-5);
}

TEST(RetrievalScores, TraditionalScoreNeedsTheMostAttendedPositionToHoldTheToken) {
  const OneHot layer;
  RetrievalScores scores(1, 2, {50, 60, 70, 80}, {2, 4}, false);
  layer.choose(80, scores);  // in the answer, but head 0 looks at 70
  EXPECT_EQ(scores.traditional()[0], 0);
  layer.choose(70, scores);
  EXPECT_NEAR(scores.traditional()[0], 0.5, 1e-6);  // one of two answer tokens
}

TEST(RetrievalScores, RepeatedAnswerTokensCountOnceOrEachAsTheProtocolSays) {
  const OneHot layer;
  for (const bool counts_repeats : {false, true}) {
    RetrievalScores scores(1, 2, {50, 60, 70, 70}, {2, 4}, counts_repeats);
    layer.choose(70, scores);
    EXPECT_NEAR(scores.semantic()[0], counts_repeats ? 2.0 : 1.0, 1e-5);
  }
}

class RetrievalScoresOfAModel : public test::TinyModelFixture {};

TEST_F(RetrievalScoresOfAModel, AreTheSameBitsHoweverTheAnswerWasGuessed) {
  const auto prompt = ids(40);
  const auto prefilled = prefill(model_, std::span(prompt).first(39), {});
  const TokenSpan span{10, 20};
  const auto score = [&](std::span<const int64_t> opening) {
    auto cache = prefilled.cache.sealed(12);
    RetrievalScores scores(config_.layers, config_.heads, prompt, span, false);
    // Whatever the model says is of the answer, so that every row counts.
    const auto as_answer = [&](const LookupPass& pass) {
      const std::vector<int64_t> said(pass.chosen.size(), prompt[12]);
      scores.add({pass.queries, pass.cache, said});
    };
    const auto generation =
        generate_by_lookup(model_, cache, prompt.back(), {{}, opening}, 12, {}, as_answer);
    return std::pair{generation, scores.semantic()};
  };
  const auto [step_by_step, expected] = score({});
  const auto [at_once, scores] = score(step_by_step.ids);
  EXPECT_GT(step_by_step.steps, at_once.steps);
  EXPECT_EQ(step_by_step.ids, at_once.ids);
  EXPECT_GT(expected.front(), 0);
  EXPECT_EQ(scores, expected);
}

HeadScores three_prompts() {
  HeadScores scores;
  scores.layers = 1;
  scores.heads = 3;
  scores.count = 4;
  scores.per_prompt = {1, 5, 0, 2, 6, 0, 1, 5, 0, 2, 6, 0};
  scores.sum = {6, 22, 0};
  return scores;
}

TEST(HeadStatistics, TopHeadsAreOrderedByMeanWithAnIntervalAroundIt) {
  const auto heads = top_heads(three_prompts(), 2, {}, 0);
  ASSERT_EQ(heads.size(), 2u);
  EXPECT_EQ(heads[0].head, 1);
  EXPECT_DOUBLE_EQ(heads[0].mean, 5.5);
  EXPECT_LE(heads[0].interval.low, 5.5);
  EXPECT_GE(heads[0].interval.high, 5.5);
}

TEST(HeadStatistics, HalvesOfEqualRankingAgreeFully) {
  const auto agreement = half_agreement(three_prompts());
  EXPECT_DOUBLE_EQ(agreement.spearman, 1.0);
  EXPECT_EQ(agreement.top, 3);
  HeadScores one = three_prompts();
  one.count = 1;
  EXPECT_TRUE(std::isnan(half_agreement(one).spearman));
}

/// Two prompts rank the three heads one way, two the other.
HeadScores four_prompts() {
  HeadScores scores{1, 3, {0, 0, 0}, 4, {1, 2, 3, 2, 4, 6, 3, 2, 1, 6, 4, 2}};
  return scores;
}

TEST(HeadStatistics, GroupsOfPromptsAreComparedByTheirOwnRankings) {
  const std::vector<std::string> by_ranking{"a", "a", "b", "b"}, mixed{"a", "b", "b", "a"};
  const auto opposite = rank_agreements(four_prompts(), by_ranking, {}, 0);
  ASSERT_EQ(opposite.size(), 1u);
  EXPECT_EQ(opposite[0].first + opposite[0].second, "ab");
  EXPECT_EQ(opposite[0].first_prompts, 2);
  EXPECT_DOUBLE_EQ(opposite[0].spearman, -1);
  EXPECT_DOUBLE_EQ(opposite[0].interval.high, -1) << "every resample says so too";
  const auto unsure = rank_agreements(four_prompts(), mixed, {}, 0);
  EXPECT_LT(unsure[0].interval.low, unsure[0].interval.high);
  const std::vector<int64_t> one_needle(4, 7);
  EXPECT_TRUE(
      std::isnan(rank_agreements(four_prompts(), by_ranking, one_needle, 0)[0].interval.low));
  const std::vector<std::string> three{"a", "b", "c", "c"};
  EXPECT_EQ(rank_agreements(four_prompts(), three, {}, 0).size(), 3u) << "each two";
  const std::vector<std::string> too_few{"a"};
  EXPECT_THROW(rank_agreements(four_prompts(), too_few, {}, 0), Error);
}

TEST(IdentifyProtocol, UnknownNamesAreRefused) {
  EXPECT_THROW(IdentifyProtocol::named("loud"), Error);
  EXPECT_TRUE(IdentifyProtocol::named("compresskv").counts_repeats);
}

}  // namespace
}  // namespace kvcal
