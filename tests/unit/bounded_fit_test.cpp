// SPDX-License-Identifier: Apache-2.0
#include "matching/bounded_fit.hpp"

#include <ATen/ATen.h>
#include <gtest/gtest.h>

#include "support/error_text.hpp"
#include "support/random_layer.hpp"

namespace kvcal {
namespace {

struct System {
  at::Tensor m;  // [1, rows, columns] f64
  at::Tensor y;  // [1, rows]
};

System random_system(unsigned seed, int64_t rows, int64_t columns) {
  std::mt19937 random(seed);
  const auto m = test::normal(random, {1, rows, columns}).abs().to(at::kDouble);
  return {m, test::normal(random, {1, rows}).to(at::kDouble) + 1};
}

double residual(const System& system, const at::Tensor& weights) {
  return (at::matmul(system.m, weights.unsqueeze(2)).squeeze(2) - system.y).norm().item<double>();
}

TEST(BoundedFit, NoSmallMoveWithinTheBoundsIsBetter) {
  const Bounds bounds{0.1, 0.4};
  for (unsigned seed = 0; seed < 20; ++seed) {
    SCOPED_TRACE(seed);
    const auto system = random_system(seed, 40, 12);
    const auto weights = bounded_fit(system.m, system.y, bounds);
    EXPECT_GE(weights.min().item<double>(), bounds.low);
    EXPECT_LE(weights.max().item<double>(), bounds.high);
    const double best = residual(system, weights);
    for (int64_t i = 0; i < 12; ++i) {
      for (const double move : {-1e-3, 1e-3}) {
        auto moved = weights.clone();
        moved[0][i] += move;
        EXPECT_GE(residual(system, moved.clamp(bounds.low, bounds.high)), best - 1e-12);
      }
    }
  }
}

TEST(BoundedFit, IsAtLeastAsGoodAsClamping) {
  const Bounds bounds{0.05, 20};
  double gained = 0;
  for (unsigned seed = 0; seed < 20; ++seed) {
    const auto system = random_system(seed, 40, 12);
    const double clamped = residual(system, clamped_fit(system.m, system.y, bounds));
    const double best = residual(system, bounded_fit(system.m, system.y, bounds));
    EXPECT_LE(best, clamped + 1e-12);
    gained += clamped - best;
  }
  EXPECT_GT(gained, 1) << "clamping should lose something somewhere";
}

TEST(BoundedFit, WithoutActiveBoundsBothAreTheLeastSquares) {
  // y = 2 a + 3 b
  const auto m = at::tensor({1., 0., 0., 1., 1., 1.}, at::kDouble).view({1, 3, 2});
  const auto y = at::tensor({2., 3., 5.}, at::kDouble).view({1, 3});
  const auto expected = at::tensor({2., 3.}, at::kDouble).view({1, 2});
  EXPECT_TRUE(at::allclose(bounded_fit(m, y, {0, 10}), expected));
  EXPECT_TRUE(at::allclose(clamped_fit(m, y, {0, 10}), expected));
  // With b at most 1 the best a makes up for it: clamping leaves a at 2.
  const auto bounded = bounded_fit(m, y, {0, 1.5});
  EXPECT_NEAR(bounded[0][0].item<double>(), 1.5, 1e-9);
  EXPECT_NEAR(bounded_fit(m, y, {0, 2.5})[0][0].item<double>(), 2.25, 1e-9);
  EXPECT_NEAR(clamped_fit(m, y, {0, 2.5})[0][0].item<double>(), 2, 1e-9);
}

TEST(BoundedFit, SameColumnsZeroColumnsAndWideSystemsHaveFiniteAnswers) {
  auto system = random_system(1, 10, 3);
  system.m = at::cat({system.m, system.m, at::zeros({1, 10, 2}, at::kDouble)}, 2);
  for (const auto& m : {system.m, system.m.narrow(1, 0, 4)}) {
    const System some{m, system.y.narrow(1, 0, m.size(1))};
    const Bounds bounds{1e-12, 100};
    EXPECT_TRUE(at::isfinite(bounded_fit(some.m, some.y, bounds)).all().item<bool>());
    for (const bool uses_qr : {false, true}) {
      const auto clamped = clamped_fit(some.m, some.y, bounds, {.uses_qr = uses_qr});
      EXPECT_TRUE(at::isfinite(clamped).all().item<bool>());
    }
  }
}

TEST(BoundedFit, StepsDownhillNeverLeaveTheBoundsAndComeCloser) {
  const Bounds bounds{0.05, 20};
  const auto system = random_system(3, 40, 12);
  const auto clamped = clamped_fit(system.m, system.y, bounds);
  const auto start = at::ones({1, 12}, at::kDouble);
  const auto after = descend(system.m, system.y, clamped, bounds, 50, start);
  EXPECT_GE(after.min().item<double>(), bounds.low);
  EXPECT_LT(residual(system, after), residual(system, clamped));
}

TEST(BoundedFit, CrossedBoundsAreRefused) {
  const auto system = random_system(1, 4, 2);
  EXPECT_EQ(test::error_text(Kind::config,
                             [&] {
                               bounded_fit(system.m, system.y, {2, 1});
                             }),
            "bounds 2 .. 1, need low <= high");
}

}  // namespace
}  // namespace kvcal
