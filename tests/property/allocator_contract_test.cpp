// SPDX-License-Identifier: Apache-2.0
// What every registered allocator promises, on random requests.
#include <ATen/ATen.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <limits>
#include <numeric>

#include "kvcal/compress/allocator.hpp"
#include "support/error_text.hpp"
#include "support/field_contract.hpp"
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

/// A prompt of random layers with their scores, some of them protected, and what the allocator
/// measures of it.
struct Prompt {
  std::vector<at::Tensor> scores, measures;
  ProfileFacts profile;
  AllocationRequest request;
};

constexpr int64_t kProtected = 6;

void make_prompt(std::mt19937& random, const Allocator& allocator, Prompt& prompt) {
  const Needs needs = allocator.needs();
  test::LayerShape shape;
  shape.kv_heads = pick(random, 1, 8);
  shape.group = 2;
  shape.window = std::max<int64_t>(needs.window_tokens, 1);
  // Layers with attention take long.
  const int64_t layers = pick(random, 1, needs.window_tokens > 0 ? 8 : 40);
  const int64_t least = std::max(needs.min_budget_tokens, kProtected + 1);
  const int64_t budget = std::max(least, shape.window) + pick(random, 0, 300);
  shape.tokens = budget + pick(random, 1, 500);
  shape.head_dim = 4;
  prompt.profile = test::plain_profile(layers, shape.kv_heads * shape.group, shape.kv_heads);
  prompt.profile.layer_error = random_shares(random, layers);
  for (int64_t l = 0; l < layers; ++l) {
    LayerView view;
    if (needs.window_tokens > 0) {
      view = test::random_layer(random, shape, &prompt.profile);
    } else {
      view.keys = view.values = test::normal(random, {shape.kv_heads, shape.tokens, 1});
    }
    view.layer = l;
    auto scores = test::normal(random, {shape.kv_heads, shape.tokens});
    scores.narrow(1, shape.tokens - kProtected, kProtected)
        .fill_(std::numeric_limits<double>::infinity());
    prompt.scores.push_back(scores);
    prompt.measures.push_back(allocator.measure(view));
  }
  prompt.request = test::request_of(layers, shape.kv_heads, shape.tokens, budget);
  prompt.request.profile = &prompt.profile;
  prompt.request.scores = prompt.scores;
  prompt.request.measures = prompt.measures;
}

TEST_P(AllocatorContract, SplitsTheTotalExactlyWithinTheLimits) {
  const auto allocator = GetParam()->make({});
  for (unsigned seed = 0; seed < 50; ++seed) {
    SCOPED_TRACE(fmt::format("seed {}", seed));
    std::mt19937 random(seed);
    Prompt prompt;
    make_prompt(random, *allocator, prompt);
    const auto& request = prompt.request;
    const auto kept = allocator->allocate(request);
    ASSERT_EQ(kept.sizes(), (at::IntArrayRef{request.layers, request.kv_heads}));
    ASSERT_EQ(kept.scalar_type(), at::kLong);
    if (allocator->is_exact()) {
      EXPECT_EQ(kept.sum().item<int64_t>(), request.total());
    }
    EXPECT_GE(kept.min().item<int64_t>(), kProtected);
    EXPECT_LE(kept.max().item<int64_t>(), request.tokens);
    EXPECT_TRUE(at::equal(kept, allocator->allocate(request))) << "a second call differs";
  }
}

TEST_P(AllocatorContract, RefusesABudgetBelowItsMinimum) {
  const auto allocator = GetParam()->make({});
  std::mt19937 random(0);
  Prompt prompt;
  make_prompt(random, *allocator, prompt);
  AllocationRequest request = prompt.request;
  request.budget_tokens = allocator->needs().min_budget_tokens - 1;
  const auto text = test::error_text(Kind::config, [&] { allocator->allocate(request); });
  EXPECT_NE(text.find(fmt::format("budget_tokens = {}, need ", request.budget_tokens)),
            std::string::npos)
      << text;
}

TEST_P(AllocatorContract, AFieldThatAnotherMakesMeaninglessNamesItAndItsValues) {
  test::expect_sound_conditions(*GetParam());
}

INSTANTIATE_TEST_SUITE_P(All, AllocatorContract,
                         testing::ValuesIn(allocator_table().begin(), allocator_table().end()),
                         [](const auto& row) { return std::string(row.param->name); });

}  // namespace
}  // namespace kvcal
