// SPDX-License-Identifier: Apache-2.0
#include <ATen/ATen.h>
#include <gtest/gtest.h>

#include "kvcal/compress/scorer.hpp"

namespace kvcal {
namespace {

TEST(ObservedAttention, DividesByTheQueriesThatSeeAToken) {
  // Every query shares its attention equally: 1, 1/2 1/2, 1/3 1/3 1/3.
  LayerView view;
  view.queries = at::zeros({1, 0, 1});
  view.keys = at::zeros({1, 3, 1});
  view.statistics.column_sums = at::tensor({11 / 6.F, 5 / 6.F, 1 / 3.F}).unsqueeze(0);
  const auto scores = find_scorer("observed_attention").make({})->score(view)[0];
  EXPECT_TRUE(at::allclose(scores, at::tensor({11 / 18.F, 5 / 12.F, 1 / 3.F}))) << scores;
}

}  // namespace
}  // namespace kvcal
