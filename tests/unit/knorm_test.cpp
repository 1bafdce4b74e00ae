// SPDX-License-Identifier: Apache-2.0
#include <ATen/ATen.h>
#include <gtest/gtest.h>

#include "kvcal/compress/scorer.hpp"

namespace kvcal {
namespace {

at::Tensor score(const at::Tensor& keys) {
  LayerView view;
  view.keys = keys;
  return find_scorer("knorm").make({})->score(view);
}

TEST(KNorm, ScoresTheNegativeNormOfEachKey) {
  const auto keys = at::tensor({3., 4., 0., -1., 2., 0.}).view({1, 3, 2}).to(at::kFloat);
  EXPECT_TRUE(at::allclose(score(keys), at::tensor({-5.F, -1.F, -2.F}).unsqueeze(0)));
}

TEST(KNorm, TellsBf16KeysApartWhoseNormsRoundToTheSame) {
  // Norms 16 and 16.03; the next bf16 number above 16 is 16.125.
  const auto keys = at::tensor({16., 0., 16., 1.}).view({1, 2, 2}).to(at::kBFloat16);
  const auto scores = score(keys)[0];
  EXPECT_GT(scores[0].item<float>(), scores[1].item<float>());
}

}  // namespace
}  // namespace kvcal
