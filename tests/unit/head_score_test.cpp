// SPDX-License-Identifier: Apache-2.0
#include <ATen/ATen.h>
#include <gtest/gtest.h>

#include <limits>

#include "kvcal/compress/allocator.hpp"
#include "support/error_text.hpp"
#include "support/random_layer.hpp"

namespace kvcal {
namespace {

using Scores = std::vector<std::vector<double>>;
using Counts = std::vector<int64_t>;

/// [kv_heads, tokens] zeros, the last token protected.
at::Tensor window_of_one(int64_t kv_heads, int64_t tokens) {
  auto scores = at::zeros({kv_heads, tokens});
  scores.narrow(1, tokens - 1, 1).fill_(std::numeric_limits<double>::infinity());
  return scores;
}

/// Two layers of two heads; a window of one token.
Counts split(const std::string& rule, double beta, int64_t kv_heads, int64_t budget,
             int64_t tokens = 10000, const Scores& scores = {{.4, .3}, {.2, .1}}) {
  ProfileFacts profile;
  profile.head_scores = scores;
  auto request = test::request_of(2, kv_heads, tokens, budget);
  request.profile = &profile;
  const std::vector<at::Tensor> layers(2, window_of_one(kv_heads, tokens));
  request.scores = layers;
  const ParamMap params{{"rule", {rule, "test"}},
                        {"head_beta", {beta, "test"}},
                        {"window_tokens", {int64_t{1}, "test"}}};
  const auto kept = find_allocator("head_score").make(params)->allocate(request).flatten();
  return {kept.const_data_ptr<int64_t>(), kept.const_data_ptr<int64_t>() + kept.numel()};
}

TEST(HeadScore, KvCacheFactoryPutsTheWindowOnTop) {
  // x = 126, pool 504, base 2: 203.6, 153.2, 102.8, 52.4.
  EXPECT_EQ(split("kvf", 1.01, 2, 128), (Counts{205, 154, 104, 53}));
  // x = 106, pool 424, base 22: 191.6, 149.2, 106.8, 64.4.
  EXPECT_EQ(split("kvf", 1.2, 2, 128), (Counts{193, 150, 108, 65}));
}

TEST(HeadScore, TheExactRuleCountsTheWindowIn) {
  // b = 128 of 129: the same shares, and 4 windows; sum 4 * 129.
  EXPECT_EQ(split("exact", 1.01, 2, 129), (Counts{205, 154, 104, 53}));
  // b = 127: x = 125, pool 500, base 2: 202, 152, 102, 52.
  EXPECT_EQ(split("exact", 1.01, 2, 128), (Counts{203, 153, 103, 53}));
}

TEST(HeadScore, WhatIsProtectedIsTheScorersToSay) {
  // A window of 40 that is not kept does not stand in the way of 27 entries.
  ProfileFacts profile;
  profile.head_scores = Scores{{1, 0}, {0, 0}};
  auto request = test::request_of(2, 2, 1000, 27);
  request.profile = &profile;
  const std::vector<at::Tensor> layers(2, window_of_one(2, 1000));
  request.scores = layers;
  const auto allocator =
      find_allocator("head_score").make({{"window_tokens", {int64_t{40}, "test"}}});
  const auto kept = allocator->allocate(request);
  // b = 26: x = 25, pool 100, base 1, and the protected one.
  EXPECT_TRUE(at::equal(kept, at::tensor({102, 2, 2, 2}, at::kLong).view({2, 2})));
}

TEST(HeadScore, AKvHeadHasTheMeanOfItsGroup) {
  EXPECT_EQ(split("exact", 1.01, 1, 129), (Counts{179, 79}));  // 178.4, 77.6 and the window
  // Means of rounded capacities, half to even: (204 + 153) / 2 = 178.5, (103 + 52) / 2 = 77.5.
  EXPECT_EQ(split("kvf", 1.01, 1, 128), (Counts{179, 79}));
}

TEST(HeadScore, WhatAShortPromptCannotFillGoesToOtherHeads) {
  EXPECT_EQ(split("kvf", 1.01, 2, 128, 160), (Counts{160, 154, 104, 53}));
  // 205, 154, 104, 53 with 45 too many for the first: 6 for the second, the rest evenly.
  EXPECT_EQ(split("exact", 1.01, 2, 129, 160), (Counts{160, 160, 123, 73}));
}

TEST(HeadScore, RefusesScoresThatCannotBeShares) {
  const auto error = [](const Scores& scores) {
    return test::error_text(Kind::config, [&] { split("exact", 1.01, 2, 128, 1000, scores); });
  };
  EXPECT_EQ(error({{0, 0}, {0, 0}}),
            "head scores of the profile sum to 0, need values >= 0 with a sum > 0");
  EXPECT_EQ(error({{1, 1}}), "the profile has head scores of 1 layers, the model has 2");
  EXPECT_EQ(error({{1, 1, 1}, {1, 1, 1}}),
            "the profile has scores of 3 heads in a layer, need a multiple of 2");
  EXPECT_EQ(test::error_text(
                Kind::config,
                [] {
                  find_allocator("head_score").make({})->allocate(test::request_of(2, 2, 1000, 64));
                }),
            "head_score needs the head scores of a profile: run srh-identify");
}

}  // namespace
}  // namespace kvcal
