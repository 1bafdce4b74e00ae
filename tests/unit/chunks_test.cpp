// SPDX-License-Identifier: Apache-2.0
// Parts of a layer, and what they are put together to.
#include "kvcal/compress/chunks.hpp"

#include <ATen/ATen.h>
#include <gtest/gtest.h>

namespace kvcal {
namespace {

LayerView view_of_tokens(int64_t tokens) {
  LayerView view;
  view.keys = at::arange(2 * tokens, at::kFloat).view({2, tokens, 1}).expand({2, tokens, 4});
  view.values = -view.keys;
  view.queries = at::arange(3, at::kFloat).view({1, 3, 1}).expand({4, 3, 4});
  view.sentences = at::arange(tokens, at::kLong);
  view.statistics.column_sums = at::arange(tokens, at::kFloat).expand({4, tokens});
  view.statistics.replay_attention = at::arange(tokens, at::kFloat).expand({2, tokens});
  return view;
}

TEST(Parts, WithoutTheFirstTokensAllThatIsKnownIsOfTheRest) {
  const auto rest = without_first(view_of_tokens(10), 4);
  EXPECT_EQ(rest.tokens(), 6);
  EXPECT_EQ(rest.keys[1][0][0].item<float>(), 14);
  EXPECT_EQ(rest.values[0][5][0].item<float>(), -9);
  EXPECT_EQ(rest.sentences[0].item<int64_t>(), 4);
  EXPECT_EQ(rest.statistics.column_sums[3][0].item<float>(), 4);
  EXPECT_EQ(rest.statistics.replay_attention[1][5].item<float>(), 9);
  EXPECT_FALSE(rest.statistics.replay_weighted.defined());
  EXPECT_EQ(rest.queries.size(1), 3);
  const auto fewer = without_first(view_of_tokens(10), 8);  // two tokens have two queries
  EXPECT_EQ(fewer.queries.size(1), 2);
  EXPECT_EQ(fewer.queries[0][0][0].item<float>(), 1);
}

TEST(Parts, AreCountedThroughWhenTheyAreJoined) {
  const std::vector<KeepSet> parts{keep_all(2, 3), keep_all(2, 1)};
  const std::vector<int64_t> starts{0, 7};
  const auto joined = concatenate(parts, starts);
  EXPECT_EQ(joined.total(), 8);
  EXPECT_TRUE(at::equal(joined.of_head(1), at::tensor({0, 1, 2, 7}, at::kLong)));
}

}  // namespace
}  // namespace kvcal
