// SPDX-License-Identifier: Apache-2.0
#include <ATen/ATen.h>
#include <gtest/gtest.h>

#include <limits>

#include "kvcal/compress/allocator.hpp"
#include "support/error_text.hpp"
#include "support/random_layer.hpp"

namespace kvcal {
namespace {

using Budgets = std::vector<int64_t>;

ParamMap rule(const std::string& name) {
  return {{"rule", {name, "test"}}};
}

/// Entries of the first KV head of 4 layers.
Budgets split(const ParamMap& params, int64_t tokens, int64_t budget) {
  const auto kept =
      find_allocator("pyramid").make(params)->allocate(test::request_of(4, 2, tokens, budget));
  EXPECT_TRUE(at::equal(kept.select(1, 0), kept.select(1, 1)));
  Budgets first;
  for (int64_t l = 0; l < 4; ++l) first.push_back(kept[l][0].item<int64_t>());
  return first;
}

TEST(Pyramid, LayersLieOnALine) {
  // b = 120, min = 6, max = 234, slope 76; the window of 8 comes on top.
  for (const std::string name : {"exact", "kvf", "compresskv"}) {
    EXPECT_EQ(split(rule(name), 1000, 128), (Budgets{242, 166, 90, 14})) << name;
    EXPECT_EQ(split(rule(name), 1000, 64), (Budgets{118, 82, 46, 10})) << name;
  }
}

TEST(Pyramid, TheExactRuleRoundsTheLineAndTheOthersItsSlope) {
  // max is cut to 232, min = 8: 232, 157.33, 82.67, 8.
  EXPECT_EQ(split({}, 240, 128), (Budgets{240, 165, 91, 16}));  // sum 512
  EXPECT_EQ(split(rule("kvf"), 240, 128), (Budgets{240, 166, 92, 18}));
  EXPECT_EQ(split(rule("compresskv"), 240, 128), (Budgets{240, 166, 92, 18}));
}

TEST(Pyramid, TheLargestRemainderIsRoundedUp) {
  // b = 1, past = 32: 2, 1.33, 0.67, 0 above the window.
  EXPECT_EQ(split({}, 40, 9), (Budgets{10, 9, 9, 8}));
  // b = 2, past = 5: 4, 2.67, 1.33, 0.
  EXPECT_EQ(split({}, 13, 10), (Budgets{12, 11, 9, 8}));
}

TEST(Pyramid, OfEqualRemaindersTheEarlierLayerIsRoundedUp) {
  // b = 3: 6, 4.5, 3, 1.5, 0 above the window.
  const auto kept = find_allocator("pyramid").make({})->allocate(test::request_of(5, 1, 100, 11));
  EXPECT_TRUE(at::equal(kept.flatten(), at::tensor(Budgets{14, 13, 11, 9, 8}, at::kLong))) << kept;
}

TEST(Pyramid, OfAShortPromptKvCacheFactoryMakesNoPyramid) {
  EXPECT_EQ(split({}, 200, 128), (Budgets{200, 152, 104, 56}));
  EXPECT_EQ(split(rule("compresskv"), 200, 128), (Budgets{200, 152, 104, 56}));
  EXPECT_EQ(split(rule("kvf"), 200, 128), (Budgets{128, 128, 128, 128}));
}

TEST(Pyramid, KvpressCountsTheWindowIntoTheLineAndFallsBackOften) {
  EXPECT_EQ(split(rule("kvpress"), 1000, 500), (Budgets{975, 658, 342, 25}));
  EXPECT_EQ(split(rule("kvpress"), 1000, 750), (Budgets{992, 831, 669, 508}));
  EXPECT_EQ(split(rule("kvpress"), 1000, 100), (Budgets{100, 100, 100, 100}));
}

TEST(Pyramid, AFrozenScheduleIsThatOfAnotherPrompt) {
  auto params = rule("compresskv");
  params["schedule_tokens"] = {int64_t{150}, "test"};
  // Of 150 tokens: max = 142, min = 98, slope floor(44 / 3) = 14.
  EXPECT_EQ(split(params, 1000, 128), (Budgets{150, 136, 122, 108}));
  // Below what the schedule keeps, the prompt is the limit.
  EXPECT_EQ(split(params, 140, 128), (Budgets{140, 136, 122, 108}));
  // 100 tokens: max = 92, min = 148, a line that rises by 19 (floor of -56 / 3).
  params["schedule_tokens"] = {int64_t{100}, "test"};
  EXPECT_EQ(split(params, 1000, 128), (Budgets{100, 119, 138, 157}));
}

TEST(Pyramid, RefusesAScheduleWithoutItsRule) {
  EXPECT_EQ(test::error_text(
                Kind::config,
                [] {
                  find_allocator("pyramid").make({{"schedule_tokens", {int64_t{150}, "test"}}});
                }),
            "schedule_tokens = 150 with rule exact, need rule compresskv or 0");
}

TEST(Pyramid, ALayerKeepsWhatItsScoresProtectAndOthersGive) {
  auto request = test::request_of(4, 2, 1000, 64);
  std::vector<at::Tensor> scores(4, at::zeros({2, 1000}));
  scores[3] = scores[3].clone();
  scores[3][1].narrow(0, 0, 30).fill_(std::numeric_limits<float>::infinity());
  request.scores = scores;
  const auto kept = find_allocator("pyramid").make({})->allocate(request);
  // 118, 82, 46, 10: the last layer gets 20 more, evenly from the others.
  EXPECT_TRUE(at::equal(kept.select(1, 1), at::tensor(Budgets{111, 75, 40, 30}, at::kLong)))
      << kept;
}

/// A window of 40 of which the scores protect 4: the line is that of a window of 4.
TEST(Pyramid, AWindowThatIsNotProtectedIsNotKept) {
  std::vector<at::Tensor> scores(4, at::zeros({2, 1000}));
  for (auto& layer : scores) {
    layer = layer.clone();
    layer.narrow(1, 996, 4).fill_(std::numeric_limits<float>::infinity());
  }
  const auto line_of = [&](int64_t window) {
    auto request = test::request_of(4, 2, 1000, 28);
    request.scores = scores;
    const ParamMap params{{"window_tokens", {window, "test"}}};
    return find_allocator("pyramid").make(params)->allocate(request).select(1, 0);
  };
  // b = 24, min = 1, max = 47, slope 15.33; 4 on top.
  EXPECT_TRUE(at::equal(line_of(40), at::tensor(Budgets{51, 36, 20, 5}, at::kLong))) << line_of(40);
  EXPECT_TRUE(at::equal(line_of(40), line_of(4)));
}

TEST(Pyramid, IsExactByDefaultOnly) {
  EXPECT_TRUE(find_allocator("pyramid").make({})->is_exact());
  for (const std::string name : {"kvf", "compresskv", "kvpress"}) {
    EXPECT_FALSE(find_allocator("pyramid").make(rule(name))->is_exact()) << name;
  }
}

}  // namespace
}  // namespace kvcal
