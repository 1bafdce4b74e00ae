// SPDX-License-Identifier: Apache-2.0
#include <ATen/ATen.h>
#include <gtest/gtest.h>

#include "kvcal/compress/allocator.hpp"
#include "support/error_text.hpp"
#include "support/random_layer.hpp"

namespace kvcal {
namespace {

using Counts = std::vector<int64_t>;

/// One layer; the table has the same `shares` at every step but the last, where all is pruned.
Counts split(const std::string& rule, const std::vector<double>& shares, int64_t tokens,
             int64_t budget) {
  ProfileFacts profile;
  profile.prune_table.emplace(99, std::vector(1, shares));
  for (double& share : profile.prune_table->back()[0]) share = 1;
  auto request = test::request_of(1, static_cast<int64_t>(shares.size()), tokens, budget);
  request.profile = &profile;
  const auto kept =
      find_allocator("lukv").make({{"rule", {rule, "test"}}})->allocate(request).flatten();
  return {kept.const_data_ptr<int64_t>(), kept.const_data_ptr<int64_t>() + kept.numel()};
}

TEST(LuKv, TheTableSaysHowMuchEachHeadKeeps) {
  // Wanted 5, 2.7, 1, 6.9, rounded sum 16: the missing two go to the largest fractions.
  EXPECT_EQ(split("kvpress", {.5, .73, .9, .31}, 10, 4), (Counts{5, 3, 1, 7}));
  EXPECT_EQ(split("exact", {.5, .73, .9, .31}, 10, 4), (Counts{5, 3, 1, 7}));
}

TEST(LuKv, TheExactRuleScalesTheTableToTheBudget) {
  // Half of 15.6: 2.56, 1.38, 0.51, 3.54 -> 8.
  EXPECT_EQ(split("exact", {.5, .73, .9, .31}, 10, 2), (Counts{3, 1, 0, 4}));
  EXPECT_EQ(split("kvpress", {.5, .73, .9, .31}, 10, 2), (Counts{5, 3, 1, 7}));
}

TEST(LuKv, EveryHeadOfKvpressKeepsOneEntryAndNoneMoreThanThePrompt) {
  EXPECT_EQ(split("kvpress", {1, 1, 0}, 10, 5), (Counts{1, 1, 8}));
  EXPECT_EQ(split("exact", {.9, 0}, 10, 9), (Counts{8, 10}));  // 1.64, 16.4
}

TEST(LuKv, LooksTheTableUpAtTheShareThatIsPruned) {
  // 1 of 1000: the share of 0.999 is nearest to the last step, which prunes all.
  EXPECT_EQ(test::error_text(Kind::config,
                             [] {
                               split("exact", {.5, .5}, 1000, 1);
                             }),
            "the prune table of the profile prunes everything");
  EXPECT_EQ(split("kvpress", {.5, .5}, 1000, 1), (Counts{1, 1}));
  EXPECT_EQ(split("exact", {.5, .5}, 1000, 16), (Counts{16, 16}));  // 98.4 %: the step before
}

TEST(LuKv, RefusesATableOfAnotherModel) {
  EXPECT_EQ(test::error_text(Kind::config,
                             [] {
                               split("exact", {.5, 1.5}, 100, 10);
                             }),
            "the prune table of the profile has a share of 1.5, need 0 .. 1");
  EXPECT_EQ(test::error_text(
                Kind::config,
                [] { find_allocator("lukv").make({})->allocate(test::request_of(2, 2, 100, 10)); }),
            "lukv needs the prune table of a profile");
}

}  // namespace
}  // namespace kvcal
