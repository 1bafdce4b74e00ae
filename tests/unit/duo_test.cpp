// SPDX-License-Identifier: Apache-2.0
#include <ATen/ATen.h>
#include <gtest/gtest.h>

#include "kvcal/compress/allocator.hpp"
#include "support/error_text.hpp"
#include "support/random_layer.hpp"

namespace kvcal {
namespace {

using Counts = std::vector<int64_t>;

/// Two layers of two KV heads, prompts of 100 tokens, streaming heads keep 2 + 8.
Counts split(int64_t budget, const std::vector<std::vector<double>>& pattern) {
  ProfileFacts profile;
  profile.streaming_pattern = {pattern, 2, 8};
  auto request = test::request_of(2, 2, 100, budget);
  request.profile = &profile;
  const auto kept = find_allocator("duo").make({})->allocate(request).flatten();
  return {kept.const_data_ptr<int64_t>(), kept.const_data_ptr<int64_t>() + kept.numel()};
}

TEST(Duo, RetrievalHeadsKeepAllWhileTheTotalAllows) {
  // 220 entries: 40 for all, 90 more for each of the two best.
  EXPECT_EQ(split(55, {{.1, .9}, {.8, .2}}), (Counts{10, 100, 100, 10}));
}

TEST(Duo, TheNextHeadGetsWhatIsLeftOver) {
  EXPECT_EQ(split(60, {{.1, .9}, {.8, .2}}), (Counts{10, 100, 100, 30}));
}

TEST(Duo, OfEqualHeadsTheFirstRetrieves) {
  EXPECT_EQ(split(40, {{0, 0}, {0, 0}}), (Counts{100, 40, 10, 10}));
}

TEST(Duo, RefusesABudgetThatIsNotEnoughForStreaming) {
  EXPECT_EQ(split(10, {{.1, .9}, {.8, .2}}), (Counts{10, 10, 10, 10}));
  EXPECT_EQ(test::error_text(Kind::config,
                             [] {
                               split(9, {{.1, .9}, {.8, .2}});
                             }),
            "budget_tokens = 9, need 10 (the pattern's sink_tokens + recent_tokens) .. 100 (prompt "
            "tokens)");
}

TEST(Duo, RefusesAPatternOfAnotherModel) {
  EXPECT_EQ(test::error_text(Kind::config,
                             [] {
                               split(40, {{.1, .9}});
                             }),
            "the streaming pattern of the profile has 1 layers, the model has 2");
  EXPECT_EQ(test::error_text(Kind::config,
                             [] {
                               split(40, {{.1}, {.9}});
                             }),
            "the streaming pattern of the profile has 1 KV heads, the model has 2");
}

}  // namespace
}  // namespace kvcal
