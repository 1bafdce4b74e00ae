// SPDX-License-Identifier: Apache-2.0
#include <ATen/ATen.h>
#include <gtest/gtest.h>

#include <cmath>

#include "kvcal/compress/kernels.hpp"
#include "support/error_text.hpp"
#include "support/random_layer.hpp"

namespace kvcal {
namespace {

/// Two KV heads with five entries of 8 numbers each in the prefix.
CacheLayer five_entries_and_tail(std::mt19937& random, int64_t tail) {
  CacheLayer cache;
  cache.prefix = {test::normal(random, {10, 8}), test::normal(random, {10, 8}), at::Tensor(),
                  at::tensor({int64_t{0}, int64_t{5}, int64_t{10}})};
  cache.tail_keys = test::normal(random, {2, tail, 8});
  cache.tail_values = test::normal(random, {2, tail, 8});
  return cache;
}

TEST(WindowAttention, EachRowSeesThePastAndTheWindowUpToItself) {
  // Equal logits: row 0 sees 2 of 3 tokens, row 1 all of them.
  const auto rows = window_attention(at::zeros({1, 2, 1}), at::zeros({1, 3, 1}), 1.0);
  const auto third = 1.F / 3;
  EXPECT_TRUE(at::allclose(rows, at::tensor({.5F, .5F, 0.F, third, third, third}).view({1, 2, 3})));
}

TEST(WindowAttention, TheSoftmaxRunsOverPastAndWindowTogether) {
  // Logits 0, ln 2, 0: the last column belongs to the window and takes its quarter.
  const auto keys = at::tensor({0.F, std::log(2.F), 0.F}).view({1, 3, 1});
  const auto rows = window_attention(at::ones({1, 1, 1}), keys, 1.0);
  EXPECT_TRUE(at::allclose(rows, at::tensor({.25F, .5F, .25F}).view({1, 1, 3})));
}

TEST(WindowAttention, GroupsOfHeadsAreContiguous) {
  // KV head 0 points to token 0, KV head 1 to token 1: of four heads, the first two see token 0.
  const auto keys = at::tensor({50.F, 0.F, 0.F, 50.F}).view({2, 2, 1});
  const auto rows = window_attention(at::ones({4, 1, 1}), keys, 1.0);
  EXPECT_TRUE(at::allclose(rows.select(2, 0).flatten(), at::tensor({1.F, 1.F, 0.F, 0.F})));
}

TEST(WindowAttention, AcceptsBf16AndAnswersInF32) {
  const auto rows =
      window_attention(at::ones({2, 1, 4}, at::kBFloat16), at::ones({1, 3, 4}, at::kBFloat16), 1);
  EXPECT_EQ(rows.scalar_type(), at::kFloat);
  EXPECT_TRUE(at::allclose(rows, at::full({2, 1, 3}, 1.F / 3)));
}

/// Of the newest token alone.
at::Tensor newest_row(const at::Tensor& query, const CacheLayer& cache, double scale) {
  const int64_t newest = 0;
  return attention_rows(query.unsqueeze(1), {&newest, 1}, cache, scale).front();
}

TEST(AttentionRows, IsTheWeightOfEachEntryForTheNewestQuery) {
  // Two entries of weight 3 (bias) and 1 in the prefix, the tail token of weight 4.
  CacheLayer cache;
  cache.prefix = {at::zeros({2, 1}), at::zeros({2, 1}), at::tensor({std::log(3.F), 0.F}),
                  at::tensor({int64_t{0}, int64_t{2}})};
  cache.tail_keys = at::full({1, 1, 1}, std::log(4.F));
  cache.tail_values = at::zeros({1, 1, 1});
  const auto row = newest_row(at::ones({2, 1}), cache, 1.0);
  EXPECT_TRUE(at::allclose(row, at::tensor({3.F, 1.F, 4.F, 3.F, 1.F, 4.F}).view({2, 3}) / 8));
}

TEST(AttentionRows, TimesValuesIsRaggedAttention) {
  std::mt19937 random(11);
  const auto cache = five_entries_and_tail(random, 3);
  const auto query = test::normal(random, {6, 8});
  const auto row = newest_row(query, cache, 0.3);  // [heads, 8]
  const auto values = at::cat({cache.prefix.values.view({2, 5, 8}), cache.tail_values}, 1);
  const auto output = at::bmm(row.view({2, 3, 8}), values).view({6, 8});
  EXPECT_TRUE(at::allclose(output, ragged_attention(query.unsqueeze(1), cache, 0.3).squeeze(1),
                           1e-4, 1e-6));
}

TEST(AttentionRows, SeveralAtOnceAreTheSameBitsAsEachWhenItWasTheNewest) {
  std::mt19937 random(12);
  const auto cache = five_entries_and_tail(random, 6);
  const auto queries = test::normal(random, {6, 4, 8});  // of tail tokens 2 .. 5
  const std::vector<int64_t> wanted{0, 3};
  const auto rows = attention_rows(queries, wanted, cache, 0.3);
  for (size_t i = 0; i < wanted.size(); ++i) {
    CacheLayer until = cache;
    until.tail_keys = cache.tail_keys.narrow(1, 0, 2 + wanted[i] + 1);
    EXPECT_TRUE(at::equal(rows[i], newest_row(queries.select(1, wanted[i]), until, 0.3))) << i;
  }
}

TEST(AttentionRows, RefusesARaggedPrefix) {
  CacheLayer cache;
  cache.prefix = {at::zeros({4, 1}), at::zeros({4, 1}), at::Tensor(),
                  at::tensor({int64_t{0}, int64_t{1}, int64_t{4}})};
  cache.tail_keys = cache.tail_values = at::zeros({2, 1, 1});
  EXPECT_EQ(test::error_text(Kind::shape,
                             [&] {
                               newest_row(at::ones({2, 1}), cache, 1.0);
                             }),
            "attention_rows needs the same number of entries in every KV head, head 1 starts at 1, "
            "not 2");
}

}  // namespace
}  // namespace kvcal
