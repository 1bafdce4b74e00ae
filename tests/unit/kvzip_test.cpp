// SPDX-License-Identifier: Apache-2.0
#include <ATen/ATen.h>
#include <gtest/gtest.h>

#include "kvcal/compress/scorer.hpp"
#include "support/error_text.hpp"
#include "support/numbers.hpp"

namespace kvcal {
namespace {

using test::kInfinity;

/// Two heads on one KV head of head_dim 1, six tokens with values 1 .. 6. The output projection
/// makes head 0's output three times as long, head 1's five (3-4-5).
LayerView two_heads() {
  LayerView view;
  view.keys = at::zeros({1, 6, 1});
  view.values = at::arange(1, 7, at::kFloat).view({1, 6, 1});
  view.output_weight = at::tensor({3.F, 3.F, 0.F, 4.F}).view({2, 2});  // [hidden, heads]
  return view;
}

TEST(Kvzip, KeepsTheSinksAndRatesTheOthersByTheirReplayAttention) {
  auto view = two_heads();
  view.statistics.replay_attention = at::tensor({.9F, .8F, .7F, .6F, .5F, .1F}).view({1, 6});
  const auto scores = find_scorer("kvzip").make({})->score(view);
  const auto expected =
      at::tensor({kInfinity, kInfinity, kInfinity, kInfinity, .5F, .1F}).view({1, 6});
  EXPECT_TRUE(at::equal(scores, expected)) << scores;
  EXPECT_FLOAT_EQ(view.statistics.replay_attention[0][0].item<float>(), .9F);
}

TEST(Kvzip, AsksForTheReplay) {
  const auto needs = find_scorer("kvzip").make({})->needs();
  EXPECT_TRUE(needs.replay);
  EXPECT_FALSE(needs.replay_weighted);
  EXPECT_EQ(
      test::error_text(Kind::shape, [] { find_scorer("kvzip").make({})->score(two_heads()); }),
      "layer 0 has no replay attention of its 6 tokens");
}

TEST(KvzipPlus, TakesTheLargestHeadAfterTheOutputProjection) {
  auto view = two_heads();
  view.statistics.replay_weighted = at::zeros({2, 6});
  view.statistics.replay_weighted.select(1, 4).copy_(at::tensor({.5F, .2F}));
  view.statistics.replay_weighted.select(1, 5).copy_(at::tensor({.5F, .4F}));
  const auto scores = find_scorer("kvzip_plus").make({})->score(view);
  EXPECT_EQ(scores[0][3].item<float>(), kInfinity);
  EXPECT_FLOAT_EQ(scores[0][4].item<float>(), .5F * 3 * 5);  // head 0; head 1: .2 * 5 * 5
  EXPECT_FLOAT_EQ(scores[0][5].item<float>(), .4F * 5 * 6);  // head 1; head 0: .5 * 3 * 6
}

}  // namespace
}  // namespace kvcal
