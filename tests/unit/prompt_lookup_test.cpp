// SPDX-License-Identifier: Apache-2.0
#include "kvcal/profile/prompt_lookup.hpp"

#include <ATen/ATen.h>
#include <gtest/gtest.h>

#include "support/tiny_model_fixture.hpp"

namespace kvcal {
namespace {

using Ids = std::vector<int64_t>;

Ids guess(const Ids& prompt, const Ids& opening, const Ids& answer, int64_t most = 8) {
  return PromptLookup(prompt, opening).next(answer, most);
}

TEST(PromptLookup, TheAnswerIsExpectedToBeginWithTheOpening) {
  EXPECT_EQ(guess({1, 2, 3}, {7, 8, 9}, {}), (Ids{7, 8, 9}));
  EXPECT_EQ(guess({1, 2, 3}, {7, 8, 9}, {}, 2), (Ids{7, 8}));
  EXPECT_TRUE(guess({1, 2, 3}, {}, {}).empty());
}

TEST(PromptLookup, GoesOnAsTheLongestPieceThatEndsAlike) {
  EXPECT_EQ(guess({1, 2, 3, 4, 9, 2, 5}, {}, {8, 1, 2}, 2), (Ids{3, 4}));
}

TEST(PromptLookup, OfPiecesOfOneLengthTheLastOneCounts) {
  EXPECT_EQ(guess({1, 2, 3, 1, 2, 4}, {}, {1, 2}, 1), Ids{4});
  EXPECT_EQ(guess({5, 6}, {5, 7}, {5}, 1), Ids{7}) << "the opening stands behind the prompt";
}

TEST(PromptLookup, AnAnswerThatRepeatsItselfIsExpectedToGoOn) {
  EXPECT_EQ(guess({1}, {}, {3, 4, 3, 4}, 2), (Ids{3, 4}));
}

TEST(PromptLookup, OneTokenAloneGivesAShortGuessAndNoneNoGuess) {
  const Ids prompt{1, 2, 3, 4, 5, 6, 7};
  EXPECT_EQ(guess(prompt, {}, {9, 1}), (Ids{2, 3, 4, 5}));
  EXPECT_TRUE(guess(prompt, {}, {9}).empty());
  EXPECT_TRUE(guess(prompt, {}, {1}, 0).empty());
}

class LookupDecoding : public test::TinyModelFixture {
 protected:
  static constexpr int64_t kNewTokens = 20;
  const Ids prompt_ = ids(60);
  const Prefilled prefilled_ = prefill(model_, std::span(prompt_).first(59), {});
  CompactCache cache_ = prefilled_.cache.sealed(kNewTokens + 1);

  Generation step_by_step(CompactCache& cache, const StopRule& stop) const {
    const auto first = model_.forward(std::span(prompt_).last(1), cache, LogitsWanted::last);
    return generate(model_, cache, first, kNewTokens, stop);
  }
};

TEST_F(LookupDecoding, GivesTheTokensAndEntriesOfOneStepAToken) {
  const auto expected = step_by_step(cache_, {});
  auto half_right = expected.ids;
  half_right[9] = half_right[9] == 3 ? 4 : 3;
  for (const auto& opening : {Ids{}, expected.ids, half_right, Ids(30, 3)}) {
    auto cache = prefilled_.cache.sealed(kNewTokens);
    const auto found =
        generate_by_lookup(model_, cache, prompt_.back(), {prompt_, opening}, kNewTokens, {});
    EXPECT_EQ(found.ids, expected.ids);
    ASSERT_EQ(cache.tail_tokens(), kNewTokens);
    for (int64_t layer = 0; layer < config_.layers; ++layer) {
      EXPECT_TRUE(at::equal(cache.tail_keys(layer), cache_.tail_keys(layer))) << layer;
      EXPECT_TRUE(at::equal(cache.tail_values(layer), cache_.tail_values(layer))) << layer;
    }
    if (opening == expected.ids) {
      EXPECT_EQ(found.steps, 2) << "16 tokens, then the other 4";
    }
  }
}

TEST_F(LookupDecoding, EndsAtAStopTokenThoughTheGuessGoesOn) {
  const auto whole = step_by_step(cache_, {});
  const StopRule stop{{whole.ids[6]}};
  auto cache = prefilled_.cache.sealed(kNewTokens + 1);
  const auto expected = step_by_step(cache, stop);
  cache = prefilled_.cache.sealed(kNewTokens);
  Ids chosen;
  const auto found = generate_by_lookup(
      model_, cache, prompt_.back(), {prompt_, whole.ids}, kNewTokens, stop,
      [&](const LookupPass& pass) {
        chosen.insert(chosen.end(), pass.chosen.begin(), pass.chosen.end());
        EXPECT_EQ(pass.queries.front().size(1), static_cast<int64_t>(pass.chosen.size()));
      });
  EXPECT_EQ(found.ids, expected.ids);
  EXPECT_EQ(found.stop_id, expected.stop_id);
  EXPECT_EQ(chosen.back(), *found.stop_id);
  EXPECT_EQ(cache.tail_tokens(), static_cast<int64_t>(chosen.size()));
}

}  // namespace
}  // namespace kvcal
