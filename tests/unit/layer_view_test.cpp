// SPDX-License-Identifier: Apache-2.0
#include "kvcal/compress/layer_view.hpp"

#include <gtest/gtest.h>

namespace kvcal {
namespace {

TEST(Needs, OfTwoPartsAreTheLargerNumbersAndEitherClaim) {
  Needs scorer, allocator;
  scorer.window_tokens = 8;
  scorer.semantic_ranking = true;
  scorer.min_budget_tokens = 9;
  allocator.layer_error = true;
  allocator.min_budget_tokens = 32;
  const Needs both = scorer | allocator;
  EXPECT_EQ(both.window_tokens, 8);
  EXPECT_EQ(both.min_budget_tokens, 32);
  EXPECT_TRUE(both.semantic_ranking);
  EXPECT_TRUE(both.layer_error);
}

}  // namespace
}  // namespace kvcal
