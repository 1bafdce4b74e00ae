// SPDX-License-Identifier: Apache-2.0
#include <ATen/ATen.h>
#include <gtest/gtest.h>

#include "kvcal/compress/scorer.hpp"
#include "support/error_text.hpp"

namespace kvcal {
namespace {

/// Two heads on one KV head, four tokens.
LayerView view_of(const at::Tensor& column_sums) {
  LayerView view;
  view.queries = at::zeros({2, 0, 1});
  view.keys = at::zeros({1, 4, 1});
  view.statistics.column_sums = column_sums;
  return view;
}

TEST(H2o, TakesTheMeanOfTheGroupAndProtectsTheLastTokens) {
  const auto scorer = find_scorer("h2o").make({{"window_tokens", {int64_t{1}, "test"}}});
  const auto sums = at::tensor({2.F, 1.F, .5F, .5F, 1.F, 2.F, .5F, .5F}).view({2, 4});
  const auto scores = scorer->score(view_of(sums))[0];
  EXPECT_TRUE(at::allclose(scores.narrow(0, 0, 3), at::tensor({1.5F, 1.5F, .5F}))) << scores;
  EXPECT_TRUE(at::isposinf(scores[3]).item<bool>());
  EXPECT_TRUE(scorer->needs().column_sums);
}

TEST(H2o, NamesTheLayerWithoutColumnSums) {
  EXPECT_EQ(test::error_text(Kind::shape, [] { find_scorer("h2o").make({})->score(view_of({})); }),
            "layer 0 has no column sums of 2 heads and 4 tokens");
}

}  // namespace
}  // namespace kvcal
