// SPDX-License-Identifier: Apache-2.0
// Prefill attention against its formula in f64. head_dim 64 and 128 take our kernel where the
// processor has AVX-512, the others LibTorch's.
#include <ATen/ATen.h>
#include <gtest/gtest.h>

#include <limits>

#include "kernels/block_attention.hpp"
#include "kvcal/compress/kernels.hpp"
#include "support/errors.hpp"
#include "support/random_layer.hpp"

namespace kvcal {
namespace {

struct Shape {
  int64_t heads, kv_heads, fresh, seen, head_dim;
};

struct Case {
  at::Tensor queries, keys, values;

  explicit Case(const Shape& shape, at::ScalarType type = at::kFloat) {
    std::mt19937 random(7);
    queries = test::normal(random, {shape.heads, shape.fresh, shape.head_dim}).to(type);
    keys = test::normal(random, {shape.kv_heads, shape.seen, shape.head_dim}).to(type);
    values = test::normal(random, {shape.kv_heads, shape.seen, shape.head_dim}).to(type);
  }
};

constexpr double kScale = 0.3;

/// [new, heads * head_dim] f64
at::Tensor expected(const Case& c) {
  const int64_t fresh = c.queries.size(1), seen = c.keys.size(1);
  const int64_t group = c.queries.size(0) / c.keys.size(0);
  const auto keys = c.keys.to(at::kDouble).repeat_interleave(group, 0);
  const auto values = c.values.to(at::kDouble).repeat_interleave(group, 0);
  auto logits = at::matmul(c.queries.to(at::kDouble), keys.transpose(1, 2)) * kScale;
  const auto hidden = at::ones({fresh, seen}, at::kBool).triu(seen - fresh + 1);
  logits.masked_fill_(hidden, -std::numeric_limits<double>::infinity());
  return at::matmul(logits.softmax(-1), values).transpose(0, 1).flatten(1);
}

double largest_error(const Case& c) {
  const auto found = causal_attention(c.queries, c.keys, c.values, kScale).to(at::kDouble);
  return (found - expected(c)).abs().max().item<double>();
}

TEST(CausalAttention, FollowsItsFormulaForAnyNumberOfRowsAndEntries) {
  for (const int64_t head_dim : {8, 64, 80, 128}) {
    for (const int64_t fresh : {1, 5, 6, 47, 48, 49, 130}) {
      for (const int64_t past : {0, 1, 63, 64, 200}) {
        const Shape shape{6, 2, fresh, past + fresh, head_dim};
        SCOPED_TRACE(testing::Message() << fresh << " new after " << past << ", dim " << head_dim);
        EXPECT_LT(largest_error(Case(shape)), 2e-5);
        // Weights and outputs are rounded to 8 bits.
        EXPECT_LT(largest_error(Case(shape, at::kBFloat16)), 0.03);
      }
    }
  }
}

TEST(CausalAttention, ReadsHeadsOutOfWiderRows) {
  std::mt19937 random(3);
  const auto rows = test::normal(random, {90, 4 + 2 * 2, 64}).to(at::kBFloat16);  // [tokens, ..]
  const auto by_head = [&](int64_t first, int64_t count) {
    return rows.narrow(1, first, count).transpose(0, 1);
  };
  const auto strided = causal_attention(by_head(0, 4), by_head(4, 2), by_head(6, 2), kScale);
  const auto packed = causal_attention(by_head(0, 4).contiguous(), by_head(4, 2).contiguous(),
                                       by_head(6, 2).contiguous(), kScale);
  EXPECT_TRUE(at::equal(strided, packed));
}

TEST(CausalAttention, ReadsRowsThatStartAtOddNumbers) {
  std::mt19937 random(4);
  const auto wide = test::normal(random, {3, 70, 67}).to(at::kBFloat16);
  const auto part = [&](int64_t first, int64_t heads) {
    return wide.narrow(0, first, heads).narrow(2, 1 + first, 64);
  };
  const auto odd = causal_attention(part(0, 2), part(1, 1), part(2, 1), kScale);
  const auto packed = causal_attention(part(0, 2).contiguous(), part(1, 1).contiguous(),
                                       part(2, 1).contiguous(), kScale);
  EXPECT_TRUE(at::equal(odd, packed));
}

TEST(CausalAttention, LogitsFarApartGiveNoNaN) {
  Case c({2, 1, 70, 140, 64});
  c.queries *= 1000;
  EXPECT_TRUE(causal_attention(c.queries, c.keys, c.values, kScale).isfinite().all().item<bool>());
}

TEST(CausalAttention, ChunksGiveTheSameAsTheWhole) {
  const Case whole({4, 2, 200, 200, 64});
  const auto all = causal_attention(whole.queries, whole.keys, whole.values, kScale);
  for (const int64_t cut : {1, 48, 77, 199}) {
    const auto rest =
        causal_attention(whole.queries.narrow(1, cut, 200 - cut), whole.keys, whole.values, kScale);
    EXPECT_LT((rest - all.narrow(0, cut, 200 - cut)).abs().max().item<double>(), 2e-6) << cut;
  }
}

TEST(CausalAttention, RefusesWhatDoesNotFit) {
  const Case many({4, 2, 10, 8, 64});
  test::expect_error(Kind::shape, "do not fit",
                     [&] { causal_attention(many.queries, many.keys, many.values, kScale); });
  const Case some({4, 2, 8, 8, 64});
  test::expect_error(Kind::shape, "one type", [&] {
    causal_attention(some.queries.to(at::kHalf), some.keys, some.values, kScale);
  });
}

TEST(CausalAttention, BlocksForOtherDevicesFollowTheSameFormula) {
  for (const auto& shape :
       {Shape{4, 2, 300, 300, 16}, Shape{4, 1, 1, 9, 24}, Shape{6, 3, 257, 700, 32}}) {
    const Case c(shape);
    const auto found = attend_by_blocks(c.queries, c.keys, c.values, kScale);
    EXPECT_LT((found - expected(c)).abs().max().item<double>(), 1e-5);
  }
}

}  // namespace
}  // namespace kvcal
