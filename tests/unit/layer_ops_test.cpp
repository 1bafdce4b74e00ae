// SPDX-License-Identifier: Apache-2.0
#include "../../libprofile/model/layer_ops.hpp"

#include <ATen/ATen.h>
#include <gtest/gtest.h>

#include <cmath>

#include "../../libprofile/model/model_spec.hpp"
#include "../../libprofile/model/rope.hpp"

namespace kvcal {
namespace {

TEST(RmsNorm, DividesByTheRootOfTheMeanSquare) {
  const auto x = at::tensor({3.0F, -4.0F, 0.0F, 0.0F}).view({1, 4});  // mean square 6.25
  const auto weight = at::tensor({1.0F, 2.0F, 3.0F, 4.0F});
  const auto expected = at::tensor({1.2F, -3.2F, 0.0F, 0.0F}).view({1, 4});
  EXPECT_TRUE(at::allclose(rms_norm(x, weight, 0), expected));
}

TEST(RmsNorm, RoundsBeforeTheWeightAsTransformersDoes) {
  const auto x = at::arange(1, 2 * 35 + 1).view({2, 35}).to(at::kBFloat16);
  const auto weight = at::linspace(0.5, 1.5, 35).to(at::kBFloat16);
  const auto wide = x.to(at::kFloat);
  const auto unit = wide * at::rsqrt(wide.square().mean({-1}, /*keepdim=*/true) + 1e-5);
  EXPECT_TRUE(at::equal(rms_norm(x, weight, 1e-5), weight * unit.to(at::kBFloat16)));
}

TEST(GatedSilu, MultipliesTheHalves) {
  const auto gate_up = at::tensor({0.0F, 100.0F, 5.0F, 2.0F}).view({1, 4});
  EXPECT_TRUE(at::allclose(gated_silu(gate_up), at::tensor({0.0F, 200.0F}).view({1, 2})));
}

TEST(Rope, AQuarterTurnTakesTheFirstHalfToTheSecond) {
  const RopeTable quarter = {at::zeros({1, 2}), at::ones({1, 2})};
  auto heads = at::tensor({1.0F, 2.0F, 3.0F, 4.0F}).view({1, 1, 4});
  apply_rope_(heads, quarter);
  EXPECT_TRUE(at::equal(heads, at::tensor({-3.0F, -4.0F, 1.0F, 2.0F}).view({1, 1, 4})));
}

TEST(Rope, TheTableHoldsTheAngleOfEachPosition) {
  const auto frequencies = at::tensor({1.0F, 0.5F});
  const auto table = make_rope_table(frequencies, at::tensor({3.0F, 4.0F}), at::kFloat);
  EXPECT_FLOAT_EQ(table.cos[0][0].item<float>(), std::cos(3.0F));
  EXPECT_FLOAT_EQ(table.sin[1][1].item<float>(), std::sin(2.0F));
}

TEST(Rope, Llama3StretchesLongWavelengthsOnly) {
  ModelSpec spec;
  spec.config.head_dim = 16;
  spec.config.rope_theta = 10000;
  const auto plain = rope_frequencies(spec);
  spec.rope_scaling = Llama3Scaling{8, 1, 4, 64};
  const auto ratio = rope_frequencies(spec) / plain;  // wavelengths 6.3, 20, 63, 199, ... tokens
  EXPECT_FLOAT_EQ(ratio[0].item<float>(), 1);
  EXPECT_FLOAT_EQ(ratio[3].item<float>(), 1.0F / 8);
  EXPECT_GT(ratio[1].item<float>(), 0.5F);
  EXPECT_LT(ratio[1].item<float>(), 1.0F);
}

}  // namespace
}  // namespace kvcal
