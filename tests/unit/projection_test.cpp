// SPDX-License-Identifier: Apache-2.0
#include "../../libprofile/model/projection.hpp"

#include <ATen/ATen.h>
#include <gtest/gtest.h>

#include "support/random_layer.hpp"

namespace kvcal {
namespace {

double worst_difference(const at::Tensor& a, const at::Tensor& b) {
  return (a.to(at::kDouble) - b.to(at::kDouble)).abs().max().item<double>();
}

/// Whole numbers up to 3 that every dtype holds, so that products are exact.
at::Tensor whole_numbers(int64_t rows, int64_t columns, at::ScalarType dtype) {
  return (at::arange(rows * columns).mul(7).add(3).remainder(7) - 3)
      .view({rows, columns})
      .to(dtype);
}

class Projection : public testing::TestWithParam<std::tuple<at::ScalarType, int, int>> {};

TEST_P(Projection, IsTheProductPlusBias) {
  const auto [dtype, rows, width] = GetParam();
  const auto x = whole_numbers(rows, width, dtype);
  const auto weight = whole_numbers(19, width, dtype);  // no multiple of the rows taken at once
  const auto bias = at::arange(19).to(dtype);
  const auto exact = at::matmul(x.to(at::kDouble), weight.to(at::kDouble).t());  // [rows, 19]
  const auto rounded = (exact + bias.to(at::kDouble)).to(dtype);
  const auto got = project(x, weight, bias);
  EXPECT_EQ(got.scalar_type(), dtype);
  EXPECT_EQ(worst_difference(got, rounded), 0);

  const auto wide = project_to_f32(x, weight);
  EXPECT_EQ(wide.scalar_type(), at::kFloat);
  EXPECT_EQ(worst_difference(wide, exact), 0) << "rounded on the way";

  EXPECT_EQ(worst_difference(project_rows(x, weight, bias), rounded), 0);
  EXPECT_EQ(worst_difference(project_rows_to_f32(x, weight), exact), 0);
}

INSTANTIATE_TEST_SUITE_P(
    All, Projection,
    testing::Combine(testing::Values(at::kFloat, at::kBFloat16, at::kHalf),
                     testing::Values(1, 5, 15),
                     testing::Values(48, 50)));  // 50: no multiple of the vector length

TEST(ProjectRows, ARowHasTheSameBitsAloneAndInABatch) {
  for (const auto dtype : {at::kFloat, at::kBFloat16, at::kHalf}) {
    std::mt19937 random(1);
    const auto x = test::normal(random, {23, 72}).to(dtype);
    const auto weight = test::normal(random, {301, 72}).to(dtype);
    const auto together = project_rows_to_f32(x, weight);  // [23, 301]
    for (int64_t row = 0; row < x.size(0); ++row) {
      EXPECT_TRUE(at::equal(project_rows_to_f32(x.narrow(0, row, 1), weight)[0], together[row]))
          << c10::toString(dtype) << " row " << row;
    }
  }
}

TEST(ProjectionToF32, TakesVocabulariesOfAnySize) {
  const auto x = whole_numbers(2, 16, at::kBFloat16);
  const auto weight = whole_numbers(9001, 16, at::kBFloat16);
  const auto exact = at::matmul(x.to(at::kDouble), weight.to(at::kDouble).t());
  EXPECT_EQ(worst_difference(project_to_f32(x, weight), exact), 0);
}

}  // namespace
}  // namespace kvcal
