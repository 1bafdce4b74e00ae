// SPDX-License-Identifier: Apache-2.0
// What every registered allocator promises, on random requests.
#include <ATen/ATen.h>
#include <gtest/gtest.h>

#include <numeric>

#include "kvcal/compress/allocator.hpp"
#include "support/error_text.hpp"
#include "support/random_layer.hpp"

namespace kvcal {
namespace {

using test::pick;

/// Shares that sum to 1; now and then one layer has nearly all.
std::vector<double> random_shares(std::mt19937& random, int64_t layers) {
  std::vector<double> shares;
  const double power = static_cast<double>(pick(random, 0, 20));
  for (int64_t l = 0; l < layers; ++l) {
    shares.push_back(std::pow(static_cast<double>(pick(random, 1, 1000)) / 1000, power));
  }
  const double sum = std::accumulate(shares.begin(), shares.end(), 0.0);
  for (double& share : shares) share /= sum;
  return shares;
}

class AllocatorContract : public testing::TestWithParam<const AllocatorInfo*> {};

TEST_P(AllocatorContract, SplitsTheTotalExactlyWithinTheLimits) {
  const auto allocator = GetParam()->make({});
  for (unsigned seed = 0; seed < 200; ++seed) {
    SCOPED_TRACE(fmt::format("seed {}", seed));
    std::mt19937 random(seed);
    const int64_t layers = pick(random, 1, 40), kv_heads = pick(random, 1, 8);
    const int64_t budget = allocator->needs().min_budget_tokens + pick(random, 0, 300);
    auto request = test::request_of(layers, kv_heads, budget + pick(random, 1, 500), budget);
    ProfileFacts profile;
    profile.layer_error = random_shares(random, request.layers);
    request.profile = &profile;
    std::vector<at::Tensor> scores;
    for (int64_t l = 0; l < request.layers; ++l) {
      scores.push_back(test::normal(random, {request.kv_heads, request.tokens}));
    }
    request.scores = scores;

    const auto kept = allocator->allocate(request);
    ASSERT_EQ(kept.sizes(), (at::IntArrayRef{request.layers, request.kv_heads}));
    ASSERT_EQ(kept.scalar_type(), at::kLong);
    EXPECT_EQ(kept.sum().item<int64_t>(), request.total());
    EXPECT_GE(kept.min().item<int64_t>(), 1);
    EXPECT_LE(kept.max().item<int64_t>(), request.tokens);
    EXPECT_TRUE(at::equal(kept, allocator->allocate(request))) << "a second call differs";
  }
}

TEST_P(AllocatorContract, RefusesABudgetBelowItsMinimum) {
  const auto allocator = GetParam()->make({});
  const auto profile = test::plain_profile(2, 4);
  auto request = test::request_of(2, 2, 1000, allocator->needs().min_budget_tokens - 1);
  request.profile = &profile;
  const auto text = test::error_text(Kind::config, [&] { allocator->allocate(request); });
  EXPECT_NE(text.find(fmt::format("budget_tokens = {}, need ", request.budget_tokens)),
            std::string::npos)
      << text;
}

INSTANTIATE_TEST_SUITE_P(All, AllocatorContract,
                         testing::ValuesIn(allocator_table().begin(), allocator_table().end()),
                         [](const auto& row) { return std::string(row.param->name); });

}  // namespace
}  // namespace kvcal
