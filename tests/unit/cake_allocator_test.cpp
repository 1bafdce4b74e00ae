// SPDX-License-Identifier: Apache-2.0
// The allocator.
#include <ATen/ATen.h>
#include <gtest/gtest.h>

#include <cmath>
#include <limits>

#include "kvcal/compress/allocator.hpp"
#include "support/random_layer.hpp"

namespace kvcal {
namespace {

using Counts = std::vector<int64_t>;

ParamMap taus(double tau1, double tau2) {
  return {{"tau1", {tau1, "test"}}, {"tau2", {tau2, "test"}}};
}

/// Four layers with preferences 4, 3, 2, 1.
at::Tensor split(int64_t tokens, int64_t budget, std::span<const at::Tensor> scores = {}) {
  std::vector<at::Tensor> measures;
  for (const double preference : {4, 3, 2, 1}) {
    measures.push_back(at::tensor({preference, 1.0}, at::kDouble));
  }
  auto request = test::request_of(4, 2, tokens, budget);
  request.measures = measures;
  request.scores = scores;
  return find_allocator("cake").make(taus(1, 1))->allocate(request);
}

at::Tensor both_heads(const Counts& counts) {
  return at::tensor(counts, at::kLong).unsqueeze(1).expand({4, 2});
}

TEST(CakeAllocator, LayersShareByPreference) {
  // Total 224: 89.6, 67.2, 44.8, 22.4 cut to 89 67 44 22, the missing two to the first layers; + 8.
  EXPECT_TRUE(at::equal(split(1000, 64), both_heads({98, 76, 52, 30}))) << split(1000, 64);
}

TEST(CakeAllocator, WhatExceedsThePastIsSpreadEvenly) {
  // 80 past tokens: 9 of the first layer's 89 go to the others; + 8.
  EXPECT_TRUE(at::equal(split(88, 64), both_heads({88, 79, 56, 33}))) << split(88, 64);
}

TEST(CakeAllocator, WhatTheSpreadLaysBeyondThePastGoesElsewhere) {
  const auto kept = split(80, 70);  // 72 past tokens, total 248
  EXPECT_EQ(kept.sum().item<int64_t>(), 70 * 8);
  EXPECT_EQ(kept.max().item<int64_t>(), 80);
}

TEST(CakeAllocator, ALayerKeepsWhatItsScoresProtect) {
  std::vector<at::Tensor> scores(4, at::zeros({2, 1000}));
  scores[3] = scores[3].clone();
  scores[3][0].narrow(0, 0, 40).fill_(std::numeric_limits<float>::infinity());
  const auto kept = split(1000, 64, scores);
  EXPECT_EQ(kept[3][1].item<int64_t>(), 40);
  EXPECT_EQ(kept.sum().item<int64_t>(), 64 * 8);
}

TEST(CakeAllocator, OfTheWindowALayerKeepsWhatTheScoresProtect) {
  std::vector<at::Tensor> scores(4, at::zeros({2, 1000}));
  for (auto& layer : scores) {
    layer = layer.clone();
    layer.narrow(1, 998, 2).fill_(std::numeric_limits<float>::infinity());
  }
  // Total 4 * (7 - 2) = 20: 8 6 4 2; + 2. Below the window of 8.
  EXPECT_TRUE(at::equal(split(1000, 7, scores), both_heads({10, 8, 6, 4})))
      << split(1000, 7, scores);
}

TEST(CakeAllocator, MeasuresEntropyAndShiftOfThePast) {
  // Equal keys: the first window row sees three tokens, the second four; two are past.
  LayerView view;
  view.queries = at::ones({2, 2, 4});
  view.keys = at::zeros({1, 4, 4});
  auto params = taus(1, 1);
  params["window_tokens"] = {int64_t{2}, "test"};
  const auto measure = find_allocator("cake").make(params)->measure(view);
  // Two heads, each two tokens with 1/3 and 1/4.
  EXPECT_NEAR(measure[0].item<double>(), 2 * 2 * (std::log(3) / 3 + std::log(4) / 4), 1e-5);
  EXPECT_NEAR(measure[1].item<double>(), 2 * 2 * (1.0 / 12) * (1.0 / 12) / 2, 1e-7);
}

TEST(CakeAllocator, PreferenceWeighsEntropyAndShiftByTheTaus) {
  // e^(1/2) v^(1/1): 2 * 1 against 4 * 3 = 1 : 6; budget 2 * (22 - 8) = 28 for two layers.
  std::vector<at::Tensor> measures{at::tensor({4.0, 1.0}, at::kDouble),
                                   at::tensor({16.0, 3.0}, at::kDouble)};
  auto request = test::request_of(2, 1, 1000, 22);
  request.measures = measures;
  const auto kept = find_allocator("cake").make(taus(2, 1))->allocate(request);
  EXPECT_TRUE(at::equal(kept.flatten(), at::tensor(Counts{4 + 8, 24 + 8}, at::kLong))) << kept;
}

}  // namespace
}  // namespace kvcal
