// SPDX-License-Identifier: Apache-2.0
#include <ATen/ATen.h>
#include <gtest/gtest.h>

#include "kvcal/compress/scorer.hpp"

namespace kvcal {
namespace {

/// One KV head, four past tokens, a window of two; `looks_at[h]` = the tokens that the two queries
/// of head h look at.
at::Tensor score(const std::vector<std::pair<int64_t, int64_t>>& looks_at, double gamma,
                 int64_t kernel = 1) {
  LayerView view;
  view.keys = at::eye(6).mul(1000).unsqueeze(0);
  view.queries = at::zeros({static_cast<int64_t>(looks_at.size()), 2, 6});
  for (size_t h = 0; h < looks_at.size(); ++h) {
    const auto head = view.queries[static_cast<int64_t>(h)];
    head[0][looks_at[h].first] = 1;
    head[1][looks_at[h].second] = 1;
  }
  const ParamMap params{{"window_tokens", {int64_t{2}, "test"}},
                        {"pool_kernel", {kernel, "test"}},
                        {"gamma", {gamma, "test"}}};
  return find_scorer("cake").make(params)->score(view)[0];  // [tokens]
}

void expect_past(const at::Tensor& scores, std::vector<float> expected) {
  EXPECT_TRUE(at::allclose(scores.narrow(0, 0, 4), at::tensor(expected))) << scores;
  EXPECT_TRUE(at::isposinf(scores.narrow(0, 4, 2)).all().item<bool>());
}

TEST(Cake, AddsTheUnbiasedVarianceOverTheWindowToTheMean) {
  expect_past(score({{1, 1}}, 200), {0, 1, 0, 0});          // mean 1, no variance
  expect_past(score({{1, 2}}, 200), {0, 100.5, 100.5, 0});  // mean 1/2, variance 1/2
  expect_past(score({{1, 2}}, 0), {0, .5, .5, 0});
}

TEST(Cake, TakesTheVarianceOfEachHeadBeforeTheMeanOfTheGroup) {
  expect_past(score({{1, 2}, {2, 1}}, 200), {0, 100.5, 100.5, 0});
}

TEST(Cake, PoolsAverages) {
  expect_past(score({{1, 1}}, 200, 3), {1.F / 3, 1.F / 3, 1.F / 3, 0});
}

}  // namespace
}  // namespace kvcal
