// SPDX-License-Identifier: Apache-2.0
#include <ATen/ATen.h>
#include <gtest/gtest.h>

#include <limits>

#include "kvcal/compress/selector.hpp"

namespace kvcal {
namespace {

using Tokens = std::vector<int64_t>;

Tokens kept_of(const at::Tensor& scores, const at::Tensor& norms, int64_t kept) {
  const auto selector = find_selector("critical").make({});
  const auto count = at::full({1}, kept, at::kLong);
  const auto keep = selector->select({scores, norms, count});
  return {keep.indices.const_data_ptr<int64_t>(),
          keep.indices.const_data_ptr<int64_t>() + keep.total()};
}

TEST(Critical, HalfIsTakenByScoreAndTheRestByScoreTimesNorm) {
  const auto scores = at::tensor({.4f, .3f, .2f, .1f, .05f, 0.f}).unsqueeze(0);
  const auto norms = at::tensor({.1f, .1f, .1f, 3.f, 1.f, 100.f}).unsqueeze(0);
  // First 0 and 1; then by .02, .3, .05, and for a score of nothing 1e-4 * 100 = .01.
  EXPECT_EQ(kept_of(scores, norms, 4), (Tokens{0, 1, 3, 4}));
}

TEST(Critical, EpsilonLetsLargeValuesWin) {
  const auto scores = at::tensor({.4f, .3f, 0.f}).unsqueeze(0);
  const auto norms = at::tensor({1.f, 1.f, 1e4f}).unsqueeze(0);
  EXPECT_EQ(kept_of(scores, norms, 2), (Tokens{0, 2}));  // 1e-4 * 1e4 > .3
}

TEST(Critical, ProtectedTokensStayWhateverTheirValues) {
  const float inf = std::numeric_limits<float>::infinity();
  const auto scores = at::tensor({.4f, .3f, inf, inf, inf}).unsqueeze(0);
  const auto norms = at::tensor({1.f, 1.f, 0.f, 0.f, 0.f}).unsqueeze(0);
  EXPECT_EQ(kept_of(scores, norms, 4), (Tokens{0, 2, 3, 4}));
}

TEST(Critical, AHeadAtAdasFloorIsTakenByScoreAlone) {
  const auto selector = find_selector("critical").make({});
  const auto scores = at::tensor({.4f, .3f, .2f, .1f}).expand({2, 4}).repeat({1, 5});
  auto norms = at::ones({2, 20});
  norms.narrow(1, 3, 1).fill_(100);
  // 18 and 2 of 20, mean 10: alpha 0.2 makes two sure, half of two would be one.
  const auto keep = selector->select({scores.clone(), norms, at::tensor({18, 2}, at::kLong)});
  EXPECT_TRUE(at::equal(keep.of_head(1), at::tensor({0, 4}, at::kLong))) << keep.of_head(1);
}

TEST(Critical, MeasuresTheMeanL1NormOfWhatTheGroupWrites) {
  LayerView view;
  view.queries = at::zeros({2, 0, 2});
  view.keys = at::zeros({1, 2, 2});
  view.values = at::tensor({1.f, 2.f, 0.f, -1.f}).view({1, 2, 2});
  // Head 0 writes (v0, v1, v0 + v1), head 1 writes (0, -2 v1, 0).
  view.output_weight =
      at::tensor({1.f, 0.f, 0.f, 0.f, 0.f, 1.f, 0.f, -2.f, 1.f, 1.f, 0.f, 0.f}).view({3, 4});
  const auto norms = find_selector("critical").make({})->measure(view);
  EXPECT_TRUE(at::equal(norms, at::tensor({(6.f + 4.f) / 2, (2.f + 2.f) / 2}).view({1, 2})))
      << norms;
}

}  // namespace
}  // namespace kvcal
