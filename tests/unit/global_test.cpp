// SPDX-License-Identifier: Apache-2.0
#include <ATen/ATen.h>
#include <gtest/gtest.h>

#include <limits>

#include "kvcal/compress/allocator.hpp"
#include "support/error_text.hpp"
#include "support/random_layer.hpp"

namespace kvcal {
namespace {

at::Tensor split(const std::vector<at::Tensor>& scores, int64_t budget) {
  auto request = test::request_of(static_cast<int64_t>(scores.size()), scores[0].size(0),
                                  scores[0].size(1), budget);
  request.scores = scores;
  return find_allocator("global").make({})->allocate(request);
}

TEST(Global, CountsTheBestScoresOfAllLayersAndHeads) {
  const auto first = at::tensor({9.f, 8.f, 1.f, 7.f, 2.f, 1.f}).view({2, 3});
  const auto second = at::tensor({6.f, 5.f, 4.f, 3.f, 0.f, 0.f}).view({2, 3});
  // Four entries: 9, 8, 7, 6. Eight: 5, 4, 3, 2 too.
  EXPECT_TRUE(
      at::equal(split({first, second}, 1), at::tensor({2, 1, 1, 0}, at::kLong).view({2, 2})));
  EXPECT_TRUE(
      at::equal(split({first, second}, 2), at::tensor({2, 2, 3, 1}, at::kLong).view({2, 2})));
}

TEST(Global, EqualScoresAtTheCutGoToTheFirstLayer) {
  const std::vector<at::Tensor> scores(2, at::ones({1, 4}));
  EXPECT_TRUE(at::equal(split(scores, 3), at::tensor({4, 2}, at::kLong).view({2, 1})));
}

TEST(Global, ProtectedEntriesAreTheOnlyFloor) {
  const auto low = at::zeros({1, 4});
  low[0][2] = std::numeric_limits<float>::infinity();
  EXPECT_TRUE(
      at::equal(split({low, at::ones({1, 4})}, 2), at::tensor({1, 3}, at::kLong).view({2, 1})));
  const auto all = at::full({1, 4}, std::numeric_limits<double>::infinity());
  EXPECT_EQ(test::error_text(Kind::config,
                             [&] {
                               split({all, all}, 3);
                             }),
            "the scores protect 8 entries of all layers and KV heads, the budget is 6; need a "
            "larger budget or fewer protected tokens");
}

}  // namespace
}  // namespace kvcal
