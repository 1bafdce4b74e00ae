// SPDX-License-Identifier: Apache-2.0
#include <ATen/ATen.h>
#include <gtest/gtest.h>

#include "kvcal/compress/selector.hpp"
#include "support/numbers.hpp"

namespace kvcal {
namespace {

using Tokens = std::vector<int64_t>;

using test::kInfinity;

KeepSet keep(const at::Tensor& scores, const Tokens& kept, int64_t chunk) {
  const auto selector = find_selector("chunk").make({{"chunk_tokens", {chunk, "test"}}});
  const auto counts = at::tensor(kept, at::kLong);
  return selector->select({scores, at::Tensor(), counts});
}

Tokens head(const KeepSet& keep, int64_t kv_head) {
  const auto indices = keep.of_head(kv_head);
  return {indices.const_data_ptr<int64_t>(), indices.const_data_ptr<int64_t>() + indices.numel()};
}

TEST(Chunk, NeighboursStayTogetherInAllHeads) {
  // Sums over the heads 4 1 | 3 3 | 5 0: means 2.5, 3, 2.5.
  const auto scores = at::tensor({4.f, 0.f, 1.f, 1.f, 0.f, 0.f,  //
                                  0.f, 1.f, 2.f, 2.f, 5.f, 0.f})
                          .view({2, 6});
  EXPECT_EQ(head(keep(scores, {2, 2}, 2), 0), (Tokens{2, 3}));
  EXPECT_EQ(head(keep(scores, {2, 2}, 2), 1), (Tokens{2, 3}));
  EXPECT_EQ(head(keep(scores, {4, 4}, 2), 0), (Tokens{0, 1, 2, 3}));  // equal: the earlier
}

TEST(Chunk, TheNumberOfChunksIsRoundedDown) {
  // 50 tokens in chunks of 20, half may stay: floor(3 * 25 / 50) = 1, and the best one is short.
  auto scores = at::zeros({1, 50});
  scores.narrow(1, 40, 10).fill_(1);
  EXPECT_EQ(keep(scores, {25}, 20).total(), 10);
  EXPECT_FALSE(find_selector("chunk").make({})->is_exact());
}

TEST(Chunk, UnequalCountsGiveTheirSum) {
  const auto scores = at::arange(0, 16, at::kFloat).view({2, 8});
  EXPECT_EQ(head(keep(scores, {6, 2}, 2), 1), (Tokens{4, 5, 6, 7}));  // 4 * 8 / 16 = 2 chunks
}

TEST(Chunk, AShortPromptHasNoChunks) {
  const auto scores = at::tensor({1.f, 3.f, 2.f, 3.f, 1.f, 2.f}).view({2, 3});
  const auto kept = keep(scores, {1, 2}, 20);
  EXPECT_EQ(head(kept, 0), (Tokens{1}));
  EXPECT_EQ(head(kept, 1), (Tokens{0, 2}));
}

TEST(Chunk, ProtectedTokensStayWithTheirChunkOrAlone) {
  // Chunks of 3: {0 1 2} has a sink, {6 7} the window, {3 4 5} the best scores but one.
  const auto scores =
      at::tensor({kInfinity, 0.f, 0.f, 2.f, 2.f, 1.f, kInfinity, kInfinity}).view({1, 8});
  // One chunk: the window counts 3 a token, the sink's chunk has a mean of 1.
  EXPECT_EQ(head(keep(scores, {4}, 3), 0), (Tokens{0, 6, 7}));
  EXPECT_EQ(head(keep(scores, {6}, 3), 0), (Tokens{0, 3, 4, 5, 6, 7}));
  EXPECT_EQ(head(keep(scores, {8}, 3), 0), (Tokens{0, 1, 2, 3, 4, 5, 6, 7}));
}

}  // namespace
}  // namespace kvcal
