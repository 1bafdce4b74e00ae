// SPDX-License-Identifier: Apache-2.0
#include "matching/pursuit.hpp"

#include <ATen/ATen.h>
#include <gtest/gtest.h>

#include <limits>
#include <numeric>
#include <set>

#include "support/error_text.hpp"
#include "support/random_layer.hpp"

namespace kvcal {
namespace {

/// Positive columns of very different lengths, as exponentials of logits are.
at::Tensor exponentials(unsigned seed, int64_t rows, int64_t columns) {
  std::mt19937 random(seed);
  return test::normal(random, {rows, columns}).exp().to(at::kDouble);
}

/// The same choice with everything solved anew for each column.
std::vector<int64_t> solve_anew(const at::Tensor& e, const at::Tensor& y, int64_t count,
                                const Bounds& bounds) {
  std::vector<int64_t> chosen;
  auto residual = y;
  while (static_cast<int64_t>(chosen.size()) < count) {
    auto products = at::mv(e.t(), residual);
    for (const int64_t column : chosen) {
      products[column] = -std::numeric_limits<double>::infinity();
    }
    chosen.push_back(products.argmax().item<int64_t>());
    const auto some = e.index_select(1, at::tensor(chosen, at::kLong)).unsqueeze(0);
    const auto weights = clamped_fit(some, y.unsqueeze(0), bounds, {.uses_qr = true});
    residual = y - at::matmul(some, weights.unsqueeze(2)).flatten();
  }
  return chosen;
}

TEST(Pursuit, ChoosesAsOneThatSolvesAnewForEachColumn) {
  for (unsigned seed = 0; seed < 10; ++seed) {
    SCOPED_TRACE(seed);
    const auto e = exponentials(seed, 60, 40), y = e.sum(1);
    const auto pursuit = pursue(e, y, 15, {});
    EXPECT_EQ(pursuit.columns, solve_anew(e, y, 15, PursuitOptions().bounds));
  }
}

TEST(Pursuit, BlocksOfGramColumnsChangeNoChoice) {
  const auto e = exponentials(1, 60, 40), y = e.sum(1);
  const auto one_by_one = pursue(e, y, 20, {.block_columns = 1});
  EXPECT_EQ(pursue(e, y, 20, {.block_columns = 7}).columns, one_by_one.columns);
  EXPECT_EQ(pursue(e, y, 20, {.block_columns = 100}).columns, one_by_one.columns);
}

TEST(Pursuit, ASmallerCountIsTheBeginningOfALargerOne) {
  const auto e = exponentials(2, 60, 40), y = e.sum(1);
  const auto many = pursue(e, y, 20, {}).columns;
  EXPECT_EQ(pursue(e, y, 8, {}).columns, std::vector(many.begin(), many.begin() + 8));
}

TEST(Pursuit, SeveralAStepAreTheBestOfOneLook) {
  const auto e = exponentials(3, 60, 40), y = e.sum(1);
  const auto products = at::mv(e.t(), y);
  const auto best = std::get<1>(products.topk(4));
  const auto chosen = pursue(e, y, 4, {.keys_per_step = 4}).columns;
  for (int64_t i = 0; i < 4; ++i)
    EXPECT_EQ(chosen[static_cast<size_t>(i)], best[i].item<int64_t>());
}

TEST(Pursuit, CopiesOfAColumnAndColumnsOfZerosDoNoHarm) {
  auto e = exponentials(4, 30, 6);
  e = at::cat({e, e, at::zeros({30, 3}, at::kDouble)}, 1);  // [30, 15]
  const auto y = e.sum(1);
  const auto pursuit = pursue(e, y, 15, {});
  EXPECT_EQ(std::set(pursuit.columns.begin(), pursuit.columns.end()).size(), 15u);
  EXPECT_TRUE(at::isfinite(pursuit.weights).all().item<bool>());
  const auto sum =
      at::mv(e.index_select(1, at::tensor(pursuit.columns, at::kLong)), pursuit.weights);
  EXPECT_TRUE(at::allclose(sum, y, 1e-6));
}

TEST(Pursuit, MoreColumnsThanRowsAreStillChosen) {
  const auto e = exponentials(5, 5, 20), y = e.sum(1);
  const auto pursuit = pursue(e, y, 12, {});
  EXPECT_EQ(pursuit.columns.size(), 12u);
  EXPECT_TRUE(at::isfinite(pursuit.weights).all().item<bool>());
}

TEST(Pursuit, LightColumnsMakeRoomForOthersAndTheCountIsKept) {
  // The first column points at y best, but the next two do its work: 0.002 of it is left.
  const auto e = at::tensor({1.0, 1.0, 0.0, 0.1,  //
                             1.0, 0.0, 1.0, 0.1,  //
                             0.9, 0.0, 0.0, 0.1},
                            at::kDouble)
                     .view({3, 4});
  const auto y = at::tensor({2.0, 3.0, 0.002}, at::kDouble);
  const auto plain = pursue(e, y, 3, {});
  EXPECT_EQ(plain.columns, (std::vector<int64_t>{0, 2, 1}));
  EXPECT_NEAR(plain.weights[0].item<double>(), 0.002 / 0.9, 1e-9);
  const auto dropping = pursue(e, y, 3, {.drop_below = 0.01});
  EXPECT_EQ(dropping.columns, (std::vector<int64_t>{2, 1, 3}));
  EXPECT_NEAR(dropping.weights[2].item<double>(), 0.02, 1e-9);
  // Even where nothing is heavy enough.
  EXPECT_EQ(pursue(e, y, 3, {.drop_below = 1e9}).columns.size(), 3u);
}

TEST(Pursuit, NoneAndAllAreCounts) {
  const auto e = exponentials(7, 20, 6), y = e.sum(1);
  EXPECT_TRUE(pursue(e, y, 0, {}).columns.empty());
  EXPECT_EQ(pursue(e, y, 6, {}).columns.size(), 6u);
  const auto text = test::error_text(Kind::shape, [&] { pursue(e, y, 7, {}); });
  EXPECT_EQ(text, "pursuit of 7 columns in 20 x 6 for a target of 20");
}

}  // namespace
}  // namespace kvcal
