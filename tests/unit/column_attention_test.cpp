// SPDX-License-Identifier: Apache-2.0
#include <ATen/ATen.h>
#include <ATen/Parallel.h>
#include <gtest/gtest.h>

#include <cmath>
#include <limits>

#include "kvcal/compress/kernels.hpp"
#include "support/error_text.hpp"
#include "support/random_layer.hpp"

namespace kvcal {
namespace {

/// [heads, new, seen] f32: the whole causal softmax, in f64.
at::Tensor full_matrix(const at::Tensor& queries, const at::Tensor& keys, double scale) {
  const int64_t fresh = queries.size(1), seen = keys.size(1),
                group = queries.size(0) / keys.size(0);
  const auto spread = keys.to(at::kDouble).repeat_interleave(group, 0);  // [heads, seen, head_dim]
  const auto logits = at::matmul(queries.to(at::kDouble), spread.transpose(1, 2)) * scale;
  const auto future = at::ones({fresh, seen}, at::kBool).triu(seen - fresh + 1);
  return logits.masked_fill(future, -std::numeric_limits<double>::infinity())
      .softmax(-1)
      .to(at::kFloat);
}

class ColumnAttention : public testing::Test {
 protected:
  std::mt19937 random_{17};
  // More than two blocks of rows, the last one short; three query heads on each KV head.
  const at::Tensor queries_ = test::normal(random_, {6, 150, 8});
  const at::Tensor keys_ = test::normal(random_, {2, 150, 8});
};

TEST_F(ColumnAttention, SumsOfThreeTokensAreTheOnesOnPaper) {
  // Logits 0, ln 2, 0 for every row. Row 0: 1; row 1: 1/3 2/3; row 2: 1/4 2/4 1/4.
  const auto keys = at::tensor({0.F, std::log(2.F), 0.F}).view({1, 3, 1});
  auto sums = at::zeros({1, 3});
  add_column_sums(at::ones({1, 3, 1}), keys, 1.0, sums);
  const auto expected = at::tensor({1.F + 1.F / 3 + .25F, 2.F / 3 + .5F, .25F}).view({1, 3});
  EXPECT_TRUE(at::allclose(sums, expected, 1e-6)) << sums;
}

TEST_F(ColumnAttention, SumsAreThoseOfTheWholeMatrix) {
  auto sums = at::zeros({6, 150});
  add_column_sums(queries_, keys_, 0.4, sums);
  const auto expected = full_matrix(queries_, keys_, 0.4).sum(1);  // [heads, tokens]
  EXPECT_TRUE(at::allclose(sums, expected, 1e-5, 1e-7));
}

TEST_F(ColumnAttention, ChunksAddUpToTheWholePrompt) {
  auto whole = at::zeros({6, 150}), chunked = at::zeros({6, 160});
  add_column_sums(queries_, keys_, 0.4, whole);
  for (const auto& [begin, count] : {std::pair{0, 70}, {70, 1}, {71, 79}}) {
    add_column_sums(queries_.narrow(1, begin, count), keys_.narrow(1, 0, begin + count), 0.4,
                    chunked);
  }
  EXPECT_TRUE(at::allclose(chunked.narrow(1, 0, 150), whole, 1e-5, 1e-7));
  EXPECT_EQ(chunked.narrow(1, 150, 10).abs().sum().item<float>(), 0);
}

TEST_F(ColumnAttention, LongLogitsOverflowNothing) {
  auto sums = at::zeros({6, 150});
  add_column_sums(queries_ * 100, keys_, 10, sums);
  EXPECT_NEAR(sums.sum().item<double>(), 6 * 150, 1e-2);
}

TEST_F(ColumnAttention, NarrowEntriesAreWidenedFirst) {
  for (const auto dtype : {at::kBFloat16, at::kHalf}) {
    for (const int64_t head_dim : {8, 7}) {  // an odd one has no pairs
      const auto queries = queries_.narrow(2, 0, head_dim).to(dtype);
      const auto keys = keys_.narrow(2, 0, head_dim).to(dtype);
      const auto expected = full_matrix(queries, keys, 0.4);
      auto sums = at::zeros({6, 150});
      add_column_sums(queries, keys, 0.4, sums);
      EXPECT_TRUE(at::allclose(sums, expected.sum(1), 1e-5, 1e-7)) << c10::toString(dtype);
      EXPECT_TRUE(
          at::allclose(column_maxima(queries, keys, 0.4).attention, expected.amax(1), 1e-5, 1e-7))
          << c10::toString(dtype);
    }
  }
}

TEST_F(ColumnAttention, RowsNeedNotBeContiguous) {
  const auto turned = queries_.transpose(0, 1).contiguous().transpose(0, 1);
  const auto scattered = at::stack({keys_, keys_}, 3).select(3, 0);  // every second number
  auto sums = at::zeros({6, 150}), expected = at::zeros({6, 150});
  add_column_sums(turned, scattered, 0.4, sums);
  add_column_sums(queries_, keys_, 0.4, expected);
  EXPECT_TRUE(at::equal(sums, expected));
}

TEST_F(ColumnAttention, NumberOfThreadsChangesNoBit) {
  const int threads = at::get_num_threads();
  auto one = at::zeros({6, 150}), many = at::zeros({6, 150});
  at::set_num_threads(1);
  add_column_sums(queries_, keys_, 0.4, one);
  at::set_num_threads(std::max(threads, 2));
  add_column_sums(queries_, keys_, 0.4, many);
  at::set_num_threads(threads);
  EXPECT_TRUE(at::equal(one, many));
}

TEST_F(ColumnAttention, MaximaAreThoseOfTheWholeMatrix) {
  const auto weights = test::normal(random_, {40}).abs();
  const auto queries = queries_.narrow(1, 110, 40);  // 110 tokens came before
  const auto maxima = column_maxima(queries, keys_, 0.4, weights);
  const auto expected = full_matrix(queries, keys_, 0.4);  // [heads, new, tokens]
  EXPECT_TRUE(at::allclose(maxima.attention, expected.amax(1), 1e-5, 1e-7));
  EXPECT_TRUE(
      at::allclose(maxima.weighted, (expected * weights.view({1, -1, 1})).amax(1), 1e-5, 1e-7));
  EXPECT_FALSE(column_maxima(queries, keys_, 0.4).weighted.defined());
}

TEST_F(ColumnAttention, RefusesSumsThatAreTooShort) {
  auto sums = at::zeros({6, 149});
  EXPECT_EQ(test::error_text(Kind::shape, [&] { add_column_sums(queries_, keys_, 1, sums); }),
            "column sums are Float of 6 x 149, need f32 of 6 heads and at least 150 tokens");
  auto room = at::zeros({6, 150});
  EXPECT_EQ(test::error_text(Kind::shape,
                             [&] { add_column_sums(queries_, keys_.narrow(1, 0, 9), 1, room); }),
            "queries 6 x 150 x 8 and keys 2 x 9 x 8 do not fit, need [heads, new, head_dim] and "
            "[kv_heads, seen, head_dim] with new <= seen");
}

}  // namespace
}  // namespace kvcal
