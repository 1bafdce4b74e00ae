// SPDX-License-Identifier: Apache-2.0
#include <ATen/ATen.h>
#include <gtest/gtest.h>

#include <cmath>

#include "kvcal/compress/scorer.hpp"

namespace kvcal {
namespace {

at::Tensor score(const std::vector<float>& keys) {
  LayerView view;
  view.keys = at::tensor(keys).view({1, -1, 2});
  return find_scorer("keydiff").make({})->score(view)[0];  // [tokens]
}

TEST(KeyDiff, ScoresTheNegativeCosineToTheMeanDirection) {
  // Directions (1, 0) twice and (0, 1): the anchor points along (2, 1).
  const float along = 2 / std::sqrt(5.F), across = 1 / std::sqrt(5.F);
  const auto scores = score({1, 0, 3, 0, 0, 2});
  EXPECT_TRUE(at::allclose(scores, at::tensor({-along, -along, -across}))) << scores;
}

TEST(KeyDiff, AKeyOfZerosIsNoNaN) {
  EXPECT_EQ(score({1, 0, 0, 0})[1].item<float>(), 0);
}

}  // namespace
}  // namespace kvcal
