// SPDX-License-Identifier: Apache-2.0
// The arithmetic of the CUDA kernels, walked through on the CPU as their warps do it.
#include "kernels/streaming_columns.hpp"

#include <ATen/ATen.h>
#include <gtest/gtest.h>

#include "kvcal/compress/kernels.hpp"
#include "support/random_layer.hpp"
#include "window_scores.hpp"

namespace kvcal {
namespace {

constexpr int64_t kFresh = 7, kPast = 12, kSeen = kFresh + kPast, kDim = 16;
constexpr float kDotScale = 0.25F;

/// One head.
struct Chunk {
  at::Tensor queries, keys;  // [1, new or seen, head_dim]
  Chunk() {
    std::mt19937 random(11);
    queries = test::normal(random, {1, kFresh, kDim});
    keys = test::normal(random, {1, kSeen, kDim});
  }
  float logit(int64_t row, int64_t column) const {
    return kDotScale * (queries[0][row] * keys[0][column]).sum().item<float>();
  }
};

/// Each row's columns in turns of `warps`, merged.
std::vector<RunningSoftmax> softmaxes_of(const Chunk& chunk, int64_t warps) {
  std::vector<RunningSoftmax> softmaxes;
  for (int64_t row = 0; row < kFresh; ++row) {
    RunningSoftmax whole;
    for (int64_t warp = 0; warp < warps; ++warp) {
      whole.merge(softmax_of_row(warp, columns_of_row(row, kPast), warps,
                                 [&](int64_t column) { return chunk.logit(row, column); }));
    }
    softmaxes.push_back(whole);
  }
  return softmaxes;
}

std::vector<float> column_sums_of(const Chunk& chunk) {
  const auto softmaxes = softmaxes_of(chunk, 4);
  std::vector<float> sums;
  for (int64_t column = 0; column < kSeen; ++column) {
    sums.push_back(sum_of_column(first_row_of_column(column, kPast), kFresh, softmaxes.data(),
                                 [&](int64_t row) { return chunk.logit(row, column); }));
  }
  return sums;
}

double largest_difference(const std::vector<float>& numbers, const at::Tensor& expected) {
  return (at::tensor(numbers) - expected.flatten()).abs().max().item<double>();
}

TEST(StreamingColumns, SumsAreThoseOfTheCpuKernel) {
  const Chunk chunk;
  auto expected = at::zeros({1, kSeen});
  add_column_sums(chunk.queries, chunk.keys, kDotScale, expected);
  EXPECT_LT(largest_difference(column_sums_of(chunk), expected), 1e-5);
}

TEST(StreamingColumns, TheFirstRowOfAColumnIsTheFirstThatSeesIt) {
  for (int64_t column = 0; column < kSeen; ++column) {
    const int64_t first = first_row_of_column(column, kPast);
    EXPECT_GT(columns_of_row(first, kPast), column);
    if (first > 0) {
      EXPECT_LE(columns_of_row(first - 1, kPast), column);
    }
  }
}

TEST(StreamingColumns, PoolingATileWithItsNeighboursIsPoolingTheWhole) {
  const Chunk chunk;
  const auto sums = column_sums_of(chunk);
  constexpr int64_t kTile = 5;
  for (const auto& [name, pool] :
       {std::pair("avg", Pool::avg), std::pair("max", Pool::max), std::pair("grow", Pool::grow)}) {
    for (const int64_t kernel : {1, 3, 7, 31}) {
      std::vector<float> pooled;
      for (int64_t column = 0; column < kPast; ++column) {
        const int64_t first = column / kTile * kTile, half = kernel / 2;
        const int64_t begin = std::max<int64_t>(0, first - half);
        const int64_t end = std::min(kPast, first + kTile + half);
        pooled.push_back(pooled_at({sums.data() + begin, begin, end}, column, kernel, pool));
      }
      const auto past = at::tensor(sums).narrow(0, 0, kPast).unsqueeze(0);
      EXPECT_LT(largest_difference(pooled, pool_tokens(past, name, kernel)), 1e-6)
          << name << " " << kernel;
    }
  }
}

TEST(StreamingColumns, AMassThatIsNoNumberShows) {
  const float masses[] = {1, NAN, 2};
  for (const auto pool : {Pool::avg, Pool::max, Pool::grow}) {
    EXPECT_TRUE(std::isnan(pooled_at({masses, 0, 3}, 1, 1, pool)));
  }
}

}  // namespace
}  // namespace kvcal
