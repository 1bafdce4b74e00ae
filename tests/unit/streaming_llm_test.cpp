// SPDX-License-Identifier: Apache-2.0
#include <ATen/ATen.h>
#include <gtest/gtest.h>

#include "kvcal/compress/keep_set.hpp"
#include "kvcal/compress/scorer.hpp"

namespace kvcal {
namespace {

at::Tensor kept_of(int64_t tokens, int64_t budget, const ParamMap& params = {}) {
  LayerView view;
  view.keys = at::zeros({1, tokens, 1});
  const auto scores = find_scorer("streaming_llm").make(params)->score(view);
  return select_top(scores, at::full({1}, budget, at::kLong)).indices;
}

TEST(StreamingLlm, KeepsFourSinksAndTheMostRecent) {
  // 100 tokens, budget 20: 0 .. 3 and 84 .. 99.
  EXPECT_TRUE(at::equal(kept_of(100, 20), at::cat({at::arange(4), at::arange(84, 100)})));
}

TEST(StreamingLlm, CanFillTheBudgetFromTheFirstTokens) {
  const ParamMap params{{"sink_tokens", {int64_t{0}, "test"}},
                        {"recent_tokens", {int64_t{8}, "test"}},
                        {"rest", {"first", "test"}}};
  EXPECT_TRUE(at::equal(kept_of(100, 20, params), at::cat({at::arange(12), at::arange(92, 100)})));
  EXPECT_EQ(find_scorer("streaming_llm").make(params)->needs().min_budget_tokens, 9);
}

TEST(StreamingLlm, ProtectsTheMostRecentOnRequest) {
  const ParamMap params{{"recent_tokens", {int64_t{2}, "test"}}};
  LayerView view;
  view.keys = at::zeros({1, 9, 1});
  const auto scores = find_scorer("streaming_llm").make(params)->score(view);
  EXPECT_TRUE(
      at::equal(at::isposinf(scores)[0], at::tensor({1, 1, 1, 1, 0, 0, 0, 1, 1}).to(at::kBool)));
}

TEST(StreamingLlm, ALongPromptKeepsNeighbouringTokensApart) {
  // Scores have to differ in f32 between neighbours of a long prompt.
  EXPECT_TRUE(at::equal(kept_of(1 << 20, 6),
                        at::tensor({0, 1, 2, 3, (1 << 20) - 2, (1 << 20) - 1}).to(at::kLong)));
}

TEST(StreamingLlm, NeedsRoomForOneRecentToken) {
  EXPECT_EQ(find_scorer("streaming_llm").make({})->needs().min_budget_tokens, 5);
}

}  // namespace
}  // namespace kvcal
