// SPDX-License-Identifier: Apache-2.0
#include "../../libcompress/kernels/running_softmax.hpp"

#include <gtest/gtest.h>

#include <vector>

namespace kvcal {
namespace {

/// What one warp of the CUDA kernel does, with numbers for values.
struct Gathered {
  RunningSoftmax softmax;
  float output = 0;

  void take(float logit, float value) {
    const auto step = softmax.take(logit);
    output = output * step.before + value * step.added;
  }
  void merge(const Gathered& other) {
    const auto step = softmax.merge(other.softmax);
    output = output * step.before + other.output * step.added;
  }
  float mean() const { return output / softmax.sum; }
};

TEST(RunningSoftmax, WeighsValuesByTheirExponentials) {
  Gathered gathered;
  gathered.take(std::log(1.F), 8);
  gathered.take(std::log(3.F), 4);
  EXPECT_NEAR(gathered.mean(), 5, 1e-6);  // (1 * 8 + 3 * 4) / 4
}

TEST(RunningSoftmax, TheOrderOfTheLogitsDoesNotMatter) {
  Gathered rising, falling;
  for (const int i : {0, 1, 2, 3}) rising.take(static_cast<float>(40 * i), static_cast<float>(i));
  for (const int i : {3, 2, 1, 0}) falling.take(static_cast<float>(40 * i), static_cast<float>(i));
  EXPECT_NEAR(rising.mean(), falling.mean(), 1e-6);
}

TEST(RunningSoftmax, MergedPartsAreTheWhole) {
  Gathered whole, parts[3];  // the last part sees nothing, as a warp without entries
  const std::vector<float> logits = {.5F, -2, 7, 3, 6.5F};
  for (size_t i = 0; i < logits.size(); ++i) {
    whole.take(logits[i], static_cast<float>(i));
    parts[i % 2].take(logits[i], static_cast<float>(i));
  }
  Gathered merged = parts[2];
  merged.merge(parts[0]);
  merged.merge(parts[1]);
  merged.merge(parts[2]);
  EXPECT_NEAR(merged.mean(), whole.mean(), 1e-6);
  EXPECT_NEAR(merged.softmax.sum, whole.softmax.sum, 1e-6);
}

TEST(RunningSoftmax, MinusInfinityHidesAndNaNShows) {
  Gathered gathered;
  gathered.take(-INFINITY, 100);
  gathered.take(0, 2);
  EXPECT_EQ(gathered.mean(), 2);
  gathered.take(NAN, 2);
  EXPECT_TRUE(std::isnan(gathered.mean()));
}

}  // namespace
}  // namespace kvcal
