// SPDX-License-Identifier: Apache-2.0
#include "kvcal/compress/reference_queries.hpp"

#include <ATen/ATen.h>
#include <gtest/gtest.h>

#include <algorithm>

namespace kvcal {
namespace {

/// One head whose query at position p is p.
ReferenceQueries stream(int64_t tokens, int64_t chunk, int64_t count) {
  ReferenceQueries drawn;
  for (int64_t first = 0; first < tokens; first += chunk) {
    const int64_t fresh = std::min(chunk, tokens - first);
    drawn.add(at::arange(first, first + fresh, at::kFloat).view({1, fresh, 1}), first, count);
  }
  return drawn;
}

TEST(ReferenceQueries, TheSampleDoesNotDependOnTheChunksItStreamsIn) {
  const auto whole = stream(500, 500, 40);
  ASSERT_EQ(whole.positions.size(), 40u);
  for (const int64_t chunk : {1, 7, 64}) {
    EXPECT_EQ(stream(500, chunk, 40).positions, whole.positions) << chunk;
  }
}

TEST(ReferenceQueries, FewerAreAmongMore) {
  const auto many = stream(500, 64, 200), few = stream(500, 64, 40);
  EXPECT_EQ(many.drawn(40).positions, few.positions);
  EXPECT_TRUE(at::equal(many.drawn(40).queries, few.queries));
}

TEST(ReferenceQueries, QueriesStayWithTheirPositionsInOrder) {
  const auto drawn = stream(300, 50, 30);
  EXPECT_TRUE(std::is_sorted(drawn.positions.begin(), drawn.positions.end()));
  for (size_t i = 0; i < drawn.positions.size(); ++i) {
    EXPECT_EQ(drawn.queries[0][static_cast<int64_t>(i)][0].item<int64_t>(), drawn.positions[i]);
  }
}

TEST(ReferenceQueries, TokensOfAllPartsAreDrawn) {
  const auto drawn = stream(1000, 100, 100);
  for (int64_t quarter = 0; quarter < 4; ++quarter) {
    const auto in_quarter =
        std::count_if(drawn.positions.begin(), drawn.positions.end(),
                      [&](int64_t position) { return position / 250 == quarter; });
    EXPECT_GT(in_quarter, 12) << "usually 25";
    EXPECT_LT(in_quarter, 40);
  }
}

}  // namespace
}  // namespace kvcal
