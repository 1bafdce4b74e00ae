// SPDX-License-Identifier: Apache-2.0
#include <ATen/ATen.h>
#include <gtest/gtest.h>

#include "kvcal/compress/scorer.hpp"
#include "support/error_text.hpp"

namespace kvcal {
namespace {

at::Tensor score(const LayerView& view, int64_t window, int64_t kernel,
                 const std::string& pool = "avg", const std::string& pool_of = "heads",
                 const std::string& grouping = "contiguous") {
  const ParamMap params{{"window_tokens", {window, "test"}},
                        {"pool_kernel", {kernel, "test"}},
                        {"pool", {pool, "test"}},
                        {"pool_of", {pool_of, "test"}},
                        {"grouping", {grouping, "test"}}};
  return find_scorer("snapkv").make(params)->score(view);
}

/// Saturated attention: all queries of head h look at token looked_at[h] only. head_dim = tokens.
LayerView looking_at(const std::vector<int64_t>& looked_at, int64_t kv_heads, int64_t tokens,
                     int64_t window) {
  LayerView view;
  view.keys = at::eye(tokens).mul(1000).expand({kv_heads, tokens, tokens}).contiguous();
  view.queries = at::zeros({static_cast<int64_t>(looked_at.size()), window, tokens});
  for (size_t h = 0; h < looked_at.size(); ++h) {
    view.queries[static_cast<int64_t>(h)].select(1, looked_at[h]).fill_(1);
  }
  return view;
}

void expect_past(const at::Tensor& scores, int64_t kv_head, std::vector<float> expected) {
  const auto past = scores[kv_head].narrow(0, 0, static_cast<int64_t>(expected.size()));
  EXPECT_TRUE(at::allclose(past, at::tensor(expected))) << past;
}

TEST(SnapKv, ATokenScoresTheSumOfItsAttentionOverTheWindow) {
  const auto scores = score(looking_at({1}, 1, 5, 2), 2, 1);
  expect_past(scores, 0, {0, 2, 0});  // two rows of weight 1
}

TEST(SnapKv, KeepsEveryWindowToken) {
  const auto scores = score(looking_at({1}, 1, 5, 2), 2, 1);
  EXPECT_TRUE(at::equal(at::isposinf(scores)[0], at::tensor({0, 0, 0, 1, 1}).to(at::kBool)));
}

TEST(SnapKv, HeadOneScoresForKvHeadZeroWhenTwoHeadsShareOne) {
  // Heads 0 and 1 (KV head 0) look at tokens 0 and 1, heads 2 and 3 (KV head 1) both at token 2.
  const auto scores = score(looking_at({0, 1, 2, 2}, 2, 4, 1), 1, 1);
  expect_past(scores, 0, {.5, .5, 0});
  expect_past(scores, 1, {0, 0, 1});
}

TEST(SnapKv, StridedGroupsAskEveryOtherHeadOfTwoKvHeads) {
  // KV head 0 is scored by heads 0 and 2, KV head 1 by heads 1 and 3.
  const auto scores = score(looking_at({0, 1, 2, 2}, 2, 4, 1), 1, 1, "avg", "heads", "strided");
  expect_past(scores, 0, {.5, 0, .5});
  expect_past(scores, 1, {0, .5, .5});
}

TEST(SnapKv, AveragePoolingDividesTheEdgesByTheWholeKernel) {
  // All six past tokens and the window token get 1/7: pooled .6 .8 1 1 .8 .6 of it.
  LayerView view;
  view.keys = at::zeros({1, 7, 2});
  view.queries = at::zeros({1, 1, 2});
  const float share = 1.F / 7;
  expect_past(score(view, 1, 5), 0,
              {.6F * share, .8F * share, share, share, .8F * share, .6F * share});
}

TEST(SnapKv, MaxPoolingSpreadsAPeakToItsNeighbours) {
  expect_past(score(looking_at({2}, 1, 7, 1), 1, 3, "max"), 0, {0, 1, 1, 1, 0, 0});
}

TEST(SnapKv, PoolingHeadsOrTheirMeanDiffersForMax) {
  const auto view = looking_at({0, 1}, 1, 4, 1);
  expect_past(score(view, 1, 3, "max", "heads"), 0, {1, 1, .5});    // mean of 1 1 0 and 1 1 1
  expect_past(score(view, 1, 3, "max", "group"), 0, {.5, .5, .5});  // max of .5 .5 0
}

TEST(SnapKv, PoolingDoesNotReachIntoTheWindow) {
  // All attention is on the window's own token 4: nothing of it leaks to token 3.
  expect_past(score(looking_at({4}, 1, 5, 1), 1, 3), 0, {0, 0, 0, 0});
}

TEST(SnapKv, UsesTheLastOfTheGatheredQueries) {
  auto view = looking_at({1}, 1, 5, 3);
  view.queries[0][0].zero_();
  view.queries[0][0][0] = 1;  // an older query looks elsewhere
  expect_past(score(view, 2, 1), 0, {0, 2, 0});
}

TEST(SnapKv, APromptOfOneWindowIsAllProtected) {
  EXPECT_TRUE(at::isposinf(score(looking_at({0}, 1, 3, 3), 3, 7)).all().item<bool>());
}

TEST(SnapKv, RefusesTooFewQueriesAndEvenKernels) {
  const auto view = looking_at({1}, 1, 5, 2);
  EXPECT_EQ(test::error_text(Kind::shape, [&] { score(view, 3, 1); }),
            "window_tokens = 3, but layer 0 has 2 queries and 5 tokens");
  EXPECT_EQ(test::error_text(Kind::config, [&] { score(view, 2, 4); }),
            "pool_kernel = 4, need an odd number of tokens");
}

}  // namespace
}  // namespace kvcal
