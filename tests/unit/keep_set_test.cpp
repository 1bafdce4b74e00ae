// SPDX-License-Identifier: Apache-2.0
#include "kvcal/compress/keep_set.hpp"

#include <ATen/ATen.h>
#include <gtest/gtest.h>

#include <cmath>

#include "support/error_text.hpp"
#include "support/numbers.hpp"

namespace kvcal {
namespace {

using test::kInfinity;

at::Tensor counts(std::vector<int64_t> values) {
  return at::tensor(values, at::kLong);
}

void expect_list(const at::Tensor& got, std::vector<int64_t> expected) {
  EXPECT_TRUE(at::equal(got, counts(expected))) << got;
}

TEST(KeepSet, KeepsTheHighestScoresOfEachHeadInTokenOrder) {
  const auto scores = at::tensor({.1F, .9F, .5F, .7F, .4F, .3F, .2F, .8F}).view({2, 4});
  const auto keep = select_top(scores, counts({3, 1}));
  expect_list(keep.indices, {1, 2, 3, 3});
  expect_list(keep.offsets, {0, 3, 4});
  expect_list(keep.of_head(0), {1, 2, 3});
  expect_list(keep.of_head(1), {3});
}

TEST(KeepSet, EqualScoresGoToTheEarlierToken) {
  const auto keep = select_top(at::tensor({1.F, 2.F, 1.F, 2.F, 1.F}).view({1, 5}), counts({3}));
  expect_list(keep.indices, {0, 1, 3});
}

TEST(KeepSet, ZeroAndMinusZeroTie) {
  expect_list(select_top(at::tensor({-0.F, 0.F}).view({1, 2}), counts({1})).indices, {0});
}

TEST(KeepSet, NoneAndAllAreLegal) {
  const auto keep = select_top(at::zeros({2, 3}), counts({0, 3}));
  expect_list(keep.indices, {0, 1, 2});
  expect_list(keep.offsets, {0, 0, 3});
}

TEST(KeepSet, ProtectedTokensStayWhateverTheOthersScore) {
  const auto keep =
      select_top(at::tensor({5.F, kInfinity, 9.F, kInfinity}).view({1, 4}), counts({2}));
  expect_list(keep.indices, {1, 3});
}

TEST(KeepSet, MoreProtectedTokensThanTheBudgetIsAConfigError) {
  const auto scores = at::tensor({0.F, 0.F, kInfinity, kInfinity}).view({2, 2});
  EXPECT_EQ(
      test::error_text(Kind::config,
                       [&] {
                         select_top(scores, counts({1, 1}));
                       }),
      "KV head 1 may keep 1 entries but its scorer protects 2; need a budget >= 2 tokens or fewer "
      "protected ones");
}

TEST(KeepSet, NaNIsAnErrorThatNamesTheToken) {
  const auto scores = at::tensor({0.F, 1.F, std::nanf(""), 1.F}).view({2, 2});
  EXPECT_EQ(test::error_text(Kind::numeric,
                             [&] {
                               select_top(scores, counts({1, 1}));
                             }),
            "score of token 0 in KV head 1 is NaN, need a number");
}

TEST(KeepSet, CountsOutsideTheTokensAreRefused) {
  const std::string sentence = "KV head 0 should keep {} entries, need 0 .. 2 (its tokens)";
  for (const int64_t count : {-1, 3}) {
    EXPECT_EQ(test::error_text(Kind::shape,
                               [&] {
                                 select_top(at::zeros({1, 2}), counts({count}));
                               }),
              fmt::format(fmt::runtime(sentence), count));
  }
  EXPECT_EQ(test::error_text(Kind::shape,
                             [] {
                               select_top(at::zeros({2, 2}), counts({1}));
                             }),
            "kept counts have 1 numbers of Long, need one i64 for each of 2 KV heads");
  EXPECT_EQ(test::error_text(Kind::shape,
                             [] {
                               select_top(at::zeros({2, 2}, at::kHalf), counts({1, 1}));
                             }),
            "scores are 2-dimensional Half, need [kv_heads, tokens] f32");
}

}  // namespace
}  // namespace kvcal
