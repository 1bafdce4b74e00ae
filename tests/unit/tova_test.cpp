// SPDX-License-Identifier: Apache-2.0
#include <ATen/ATen.h>
#include <gtest/gtest.h>

#include "kvcal/compress/scorer.hpp"

namespace kvcal {
namespace {

TEST(Tova, AllHeadsOfTheLastQueryShareOneRanking) {
  // Head 0 looks at token 0, heads 1 .. 3 at token 1; the query before last looks elsewhere.
  LayerView view;
  view.keys = at::eye(4).mul(1000).expand({2, 4, 4}).contiguous();
  view.queries = at::zeros({4, 2, 4});
  view.queries.select(1, 0).select(1, 2).fill_(1);
  view.queries[0][1][0] = 1;
  view.queries.slice(0, 1).select(1, 1).select(1, 1).fill_(1);
  const auto scores = find_scorer("tova").make({})->score(view);
  for (int64_t k = 0; k < 2; ++k) {
    EXPECT_TRUE(at::allclose(scores[k].narrow(0, 0, 3), at::tensor({.25F, .75F, 0.F}))) << scores;
    EXPECT_TRUE(at::isposinf(scores[k][3]).item<bool>());
  }
}

}  // namespace
}  // namespace kvcal
