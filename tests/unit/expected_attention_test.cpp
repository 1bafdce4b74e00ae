// SPDX-License-Identifier: Apache-2.0
#include <ATen/ATen.h>
#include <gtest/gtest.h>

#include <cmath>
#include <numbers>

#include "kvcal/compress/scorer.hpp"
#include "support/error_text.hpp"

namespace kvcal {
namespace {

const double kLog3 = std::log(3.0);

/// A sink and the keys (0, 0) and (1, 0), with values of norm 2 and 1. head_dim is 2, so a mean
/// query (sqrt(2) ln 3, 0) has logits 0 and ln 3, weights 1/4 and 3/4; so has no mean with a
/// variance of 4 ln 3. Frequency 0: queries stay as they are.
LayerView layer(double mean, double variance, double frequency = 0) {
  LayerView view;
  view.queries = at::zeros({1, 0, 2});
  view.keys = at::tensor({9.F, 9.F, 0.F, 0.F, 1.F, 0.F}).view({1, 3, 2});
  view.values = at::tensor({5.F, 0.F, 2.F, 0.F, 0.F, 1.F}).view({1, 3, 2});
  view.statistics.query_mean = at::tensor({mean, 0.}).to(at::kFloat).unsqueeze(0);
  view.statistics.query_covariance =
      at::diag(at::tensor({variance, 0.})).to(at::kFloat).unsqueeze(0);
  view.rope_frequencies = at::tensor({frequency}).to(at::kFloat);
  return view;
}

at::Tensor score(const LayerView& view, ParamMap params = {}) {
  params.insert({"sink_tokens", {int64_t{1}, "test"}});
  return find_scorer("expected_attention").make(params)->score(view)[0];
}

void expect_past(const at::Tensor& scores, std::vector<float> expected) {
  EXPECT_TRUE(at::isposinf(scores[0]).item<bool>());
  EXPECT_TRUE(at::allclose(scores.slice(0, 1), at::tensor(expected))) << scores;
}

ParamMap with(const std::string& name, const ParamValue& value) {
  return {{name, {value, "test"}}};
}

const double kMean = std::sqrt(2.0) * kLog3;

TEST(ExpectedAttention, WeighsWhatTheMeanQueryAttendsToWithTheValuesNorm) {
  expect_past(score(layer(kMean, 0)), {.5, .75});
  expect_past(score(layer(kMean, 0), with("use_vnorm", false)), {.25, .75});
  expect_past(score(layer(kMean, 0), with("epsilon", 1.0)), {2.5, 1.75});
}

TEST(ExpectedAttention, SpreadOfQueriesRaisesTheExpectation) {
  expect_past(score(layer(0, 4 * kLog3)), {.5, .75});
  expect_past(score(layer(0, 4 * kLog3), with("use_covariance", false)), {1, .5});
}

TEST(ExpectedAttention, TurnsQueriesToThePositionsAfterThePrompt) {
  // Three tokens, so the first position is 3: half a turn at a frequency of pi / 3.
  expect_past(score(layer(kMean, 0, std::numbers::pi / 3), with("n_future", int64_t{1})),
              {1.5, .25});
  // Three quarter turns take channel 0 to minus channel 1, where the last key is now.
  auto view = layer(kMean, 0, std::numbers::pi / 2);
  view.keys[0][2] = at::tensor({0.F, 1.F});
  expect_past(score(view, with("n_future", int64_t{1})), {1.5, .25});
  // A quarter turn a position, at 3 and 4: cosines 0 and 1, mean 1/2, half the logit.
  const float weight = 1 / (1 + std::sqrt(3.F));
  expect_past(score(layer(kMean, 0, std::numbers::pi / 2), with("n_future", int64_t{2})),
              {2 * weight, 1 - weight});
}

TEST(ExpectedAttention, NamesTheLayerWithoutMoments) {
  auto view = layer(0, 0);
  view.statistics.query_mean = at::Tensor();
  EXPECT_EQ(test::error_text(Kind::shape, [&] { score(view); }),
            "layer 0 has no query moments of 1 heads with 2 channels");
}

}  // namespace
}  // namespace kvcal
