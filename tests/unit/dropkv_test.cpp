// SPDX-License-Identifier: Apache-2.0
#include <ATen/ATen.h>
#include <gtest/gtest.h>

#include <cmath>

#include "kvcal/compress/scorer.hpp"
#include "support/random_layer.hpp"

namespace kvcal {
namespace {

at::Tensor score(const LayerView& view, int64_t window, int64_t kernel) {
  const ParamMap params{{"window_tokens", {window, "test"}}, {"pool_kernel", {kernel, "test"}}};
  return find_scorer("dropkv").make(params)->score(view);
}

/// Three tokens with equal shares, values 0, 3, 6: the output is 3.
LayerView equal_shares() {
  LayerView view;
  view.queries = at::zeros({1, 1, 1});
  view.keys = at::zeros({1, 3, 1});
  view.values = at::tensor({0.F, 3.F, 6.F}).view({1, 3, 1});
  return view;
}

TEST(DropKv, ScoresTheSquaredChangeOfTheOutput) {
  // Without token 0 the output is 4.5, without token 1 still 3.
  const auto past = score(equal_shares(), 1, 1)[0].narrow(0, 0, 2);
  EXPECT_TRUE(at::allclose(past, at::tensor({2.25F, 0.F}))) << past;
}

TEST(DropKv, PoolingReachesIntoTheWindow) {
  // Scores 2.25, 0 and, of the window's token, 2.25; the edge counts a zero before token 0.
  const auto scores = score(equal_shares(), 1, 3)[0];
  EXPECT_TRUE(at::allclose(scores.narrow(0, 0, 2), at::tensor({.75F, 1.5F}))) << scores;
  EXPECT_TRUE(at::isposinf(scores[2]).item<bool>());
}

/// [heads, window, head_dim] f64: outputs of the last queries over the tokens but `left_out`.
at::Tensor outputs_without(const LayerView& view, int64_t left_out) {
  const int64_t tokens = view.tokens(), window = view.queries.size(1);
  const int64_t group = view.heads() / view.kv_heads();
  const auto repeat = [&](const at::Tensor& states) {
    return states.to(at::kDouble).repeat_interleave(group, 0);
  };
  auto hidden = at::ones({window, tokens}, at::kBool).triu(tokens - window + 1);
  if (left_out >= 0) hidden.select(1, left_out).fill_(true);
  const auto logits = at::matmul(view.queries.to(at::kDouble), repeat(view.keys).transpose(1, 2)) /
                      std::sqrt(static_cast<double>(view.head_dim()));
  const auto shares = at::softmax(logits.masked_fill(hidden, -INFINITY), -1);
  return at::matmul(shares, repeat(view.values));
}

void expect_change_of_each_token(const LayerView& view) {
  const int64_t window = view.queries.size(1), group = view.heads() / view.kv_heads();
  const auto scores = score(view, window, 1), whole = outputs_without(view, -1);
  for (int64_t t = 0; t < view.tokens() - window; ++t) {
    const auto change = (outputs_without(view, t) - whole).square().sum({1, 2});  // [heads]
    const auto expected = change.view({view.kv_heads(), group}).mean(1).to(at::kFloat);
    EXPECT_TRUE(at::allclose(scores.select(1, t), expected, 1e-3, 1e-9)) << "token " << t;
  }
}

TEST(DropKv, IsTheChangeThatTakingOutATokenMakes) {
  std::mt19937 random(1);
  test::LayerShape shape;
  shape.tokens = 20;
  shape.window = 5;
  expect_change_of_each_token(test::random_layer(random, shape, nullptr));
}

TEST(DropKv, HoldsForATokenWithNearlyAllAttention) {
  // Token 3 has a share of about 1 - 1e-4: its value and the output agree to four digits.
  std::mt19937 random(2);
  test::LayerShape shape;
  shape.kv_heads = 1;
  shape.group = 1;
  shape.tokens = 8;
  shape.window = 1;
  auto view = test::random_layer(random, shape, nullptr);
  view.queries = at::zeros({1, 1, shape.head_dim});
  view.queries[0][0][0] = 44;
  view.keys.zero_();
  view.keys[0][3][0] = 1;
  expect_change_of_each_token(view);
}

}  // namespace
}  // namespace kvcal
