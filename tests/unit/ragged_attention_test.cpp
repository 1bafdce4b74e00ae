// SPDX-License-Identifier: Apache-2.0
#include <ATen/ATen.h>
#include <ATen/Parallel.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>
#include <numeric>

#include "kvcal/compress/error.hpp"
#include "kvcal/compress/kernels.hpp"
#include "support/error_text.hpp"
#include "support/random_layer.hpp"

namespace kvcal {
namespace {

using test::normal;

/// What a test wants of a cache; kept counts give the number of KV heads.
struct CacheShape {
  std::vector<int64_t> kept;
  int64_t tail = 1, head_dim = 16;
  bool has_bias = false;
  at::ScalarType dtype = at::kFloat;
};

CacheLayer make_cache(std::mt19937& random, const CacheShape& shape) {
  const auto kv_heads = static_cast<int64_t>(shape.kept.size());
  const auto offsets =
      at::cat({at::zeros({1}, at::kLong), at::tensor(shape.kept, at::kLong).cumsum(0)});
  const int64_t total = offsets[kv_heads].item<int64_t>();
  CacheLayer cache;
  cache.prefix = {normal(random, {total, shape.head_dim}).to(shape.dtype),
                  normal(random, {total, shape.head_dim}).to(shape.dtype), at::Tensor(), offsets};
  if (shape.has_bias) cache.prefix.bias = normal(random, {total});
  // Views of a longer buffer, as CompactCache hands them out.
  const auto tail = [&] {
    return normal(random, {kv_heads, shape.tail + 5, shape.head_dim})
        .to(shape.dtype)
        .narrow(1, 0, shape.tail);
  };
  cache.tail_keys = tail();
  cache.tail_values = tail();
  return cache;
}

/// The definition: one softmax per head and token, in f64.
at::Tensor plain_attention(const at::Tensor& queries, const CacheLayer& cache, double scale) {
  const int64_t kv_heads = cache.kv_heads(), group = queries.size(0) / kv_heads;
  const int64_t new_tokens = queries.size(1), tail = cache.tail_tokens();
  const auto* offsets = cache.prefix.offsets.const_data_ptr<int64_t>();
  auto output = at::empty(queries.sizes(), at::kDouble);  // [heads, new, head_dim]
  for (int64_t h = 0; h < queries.size(0); ++h) {
    const int64_t k = h / group, kept = offsets[k + 1] - offsets[k];
    for (int64_t i = 0; i < new_tokens; ++i) {
      const int64_t seen = tail - new_tokens + i + 1;
      const auto joined = [&](const at::Tensor& prefix, const at::Tensor& tail_part) {
        return at::cat({prefix.narrow(0, offsets[k], kept), tail_part[k].narrow(0, 0, seen)})
            .to(at::kDouble);
      };
      auto logits =
          at::mv(joined(cache.prefix.keys, cache.tail_keys), queries[h][i].to(at::kDouble)) * scale;
      if (cache.prefix.bias.defined()) {
        logits.narrow(0, 0, kept).add_(cache.prefix.bias.narrow(0, offsets[k], kept));
      }
      output[h][i] =
          at::mv(joined(cache.prefix.values, cache.tail_values).t(), at::softmax(logits, 0));
    }
  }
  return output;
}

/// bf16 and f16 results are rounded once: half a unit in the last place of values up to 4.
double tolerance(at::ScalarType dtype) {
  if (dtype == at::kFloat) return 1e-5;
  return dtype == at::kBFloat16 ? 1e-2 : 2e-3;
}

void expect_plain(std::mt19937& random, int64_t group, int64_t new_tokens,
                  const CacheShape& shape) {
  const auto cache = make_cache(random, shape);
  const auto kv_heads = static_cast<int64_t>(shape.kept.size());
  const auto queries =
      normal(random, {kv_heads * group, new_tokens, shape.head_dim}).to(shape.dtype);
  const double scale = 1 / std::sqrt(static_cast<double>(shape.head_dim));
  const auto output = ragged_attention(queries, cache, scale);
  ASSERT_EQ(output.scalar_type(), shape.dtype);
  ASSERT_EQ(output.sizes(), queries.sizes());
  const auto error = (output.to(at::kDouble) - plain_attention(queries, cache, scale)).abs();
  EXPECT_LT(error.max().item<double>(), tolerance(shape.dtype))
      << "worst at flat index " << error.argmax().item<int64_t>() << " of [" << queries.sizes()
      << "], " << c10::toString(shape.dtype) << ", kept " << at::IntArrayRef(shape.kept)
      << ", tail " << shape.tail;
}

/// The same layer with its entries in another order in a longer memory.
CompactLayer scattered(std::mt19937& random, const CompactLayer& layer) {
  const int64_t total = layer.total_kept(), stored = 2 * total + 1;
  std::vector<int32_t> places(static_cast<size_t>(stored));
  std::iota(places.begin(), places.end(), 0);
  std::shuffle(places.begin(), places.end(), random);
  auto moved = layer;
  moved.rows = at::tensor(at::ArrayRef<int32_t>(places).slice(0, static_cast<size_t>(total)));
  const auto spread = [&](const at::Tensor& entries) {
    return at::full({stored, entries.size(1)}, std::nan(""), entries.options())
        .index_copy(0, moved.rows.to(at::kLong), entries);
  };
  moved.keys = spread(layer.keys), moved.values = spread(layer.values);
  return moved;
}

TEST(RaggedAttention, EntriesThatAreReferredToHaveTheBitsOfCopies) {
  std::mt19937 random(5);
  for (const auto dtype : {at::kFloat, at::kBFloat16, at::kHalf}) {
    for (const int64_t head_dim : {64, 80}) {
      const CacheShape shape{{130, 0, 1500, 5}, 9, head_dim, head_dim == 80, dtype};
      auto cache = make_cache(random, shape);
      const auto queries = normal(random, {12, 4, head_dim}).to(dtype);
      const auto copied = ragged_attention(queries, cache, 0.1);
      cache.prefix = scattered(random, cache.prefix);
      EXPECT_TRUE(at::equal(ragged_attention(queries, cache, 0.1), copied))
          << c10::toString(dtype) << ", head_dim " << head_dim;
    }
  }
}

TEST(RaggedAttention, RefusesRowsOfAnotherType) {
  std::mt19937 random(6);
  auto cache = make_cache(random, {{4, 4}, 1, 16});
  cache.prefix.rows = at::arange(8, at::kLong);
  EXPECT_EQ(test::error_text(Kind::shape,
                             [&] {
                               ragged_attention(at::zeros({2, 1, 16}), cache, 1);
                             }),
            "rows of the entries are Long, need i32 beside contiguous keys and values");
}

TEST(RaggedAttention, ASaturatedSoftmaxReturnsTheValueOfTheMatchingKey) {
  CacheLayer cache;
  cache.prefix = {at::tensor({100.F, 0.F, 0.F, 100.F}).view({2, 2}),
                  at::tensor({1.F, 2.F, 3.F, 4.F}).view({2, 2}), at::Tensor(),
                  at::tensor({int64_t{0}, int64_t{2}})};
  cache.tail_keys = at::zeros({1, 1, 2});
  cache.tail_values = at::full({1, 1, 2}, 9.F);
  const auto queries = at::tensor({1.F, 0.F, 0.F, 1.F}).view({2, 1, 2});  // two heads of one group
  const auto output = ragged_attention(queries, cache, 1.0);
  EXPECT_TRUE(at::allclose(output, at::tensor({1.F, 2.F, 3.F, 4.F}).view({2, 1, 2})));
}

TEST(RaggedAttention, EqualKeysGiveTheMeanOfWhatIsVisible) {
  CacheLayer cache;
  cache.prefix = {at::zeros({1, 2}), at::full({1, 2}, 1.F), at::Tensor(),
                  at::tensor({int64_t{0}, int64_t{1}})};
  cache.tail_keys = at::zeros({1, 2, 2});
  cache.tail_values = at::tensor({3.F, 3.F, 8.F, 8.F}).view({1, 2, 2});
  const auto output = ragged_attention(at::ones({1, 2, 2}), cache, 1.0);
  // Token 0 sees 1 and 3, token 1 sees 1, 3 and 8.
  EXPECT_TRUE(at::allclose(output, at::tensor({2.F, 2.F, 4.F, 4.F}).view({1, 2, 2})));
}

TEST(RaggedAttention, BiasIsAddedAfterScaling) {
  CacheLayer cache;
  // Weights 3 : 1 from a bias of ln 3, whatever the scale.
  cache.prefix = {at::zeros({1, 2}), at::full({1, 2}, 4.F), at::full({1}, std::log(3.0)),
                  at::tensor({int64_t{0}, int64_t{1}})};
  cache.tail_keys = at::zeros({1, 1, 2});
  cache.tail_values = at::zeros({1, 1, 2});
  const auto output = ragged_attention(at::ones({1, 1, 2}), cache, 0.125);
  EXPECT_TRUE(at::allclose(output, at::full({1, 1, 2}, 3.F)));
}

TEST(RaggedAttention, ABiasOfMinusInfinityHidesAnEntry) {
  CacheLayer cache;
  cache.prefix = {at::zeros({1, 2}), at::full({1, 2}, 4.F),
                  at::full({1}, -std::numeric_limits<double>::infinity()),
                  at::tensor({int64_t{0}, int64_t{1}})};
  cache.tail_keys = at::zeros({1, 1, 2});
  cache.tail_values = at::ones({1, 1, 2});
  EXPECT_TRUE(at::equal(ragged_attention(at::ones({1, 1, 2}), cache, 1.0), at::ones({1, 1, 2})));
}

TEST(RaggedAttention, AgreesWithPlainSoftmaxOnRaggedCaches) {
  std::mt19937 random(20240617);
  for (const auto dtype : {at::kFloat, at::kBFloat16, at::kHalf}) {
    expect_plain(random, 3, 1, {{7, 0, 65}, 1, 64, false, dtype});  // a KV head without prefix
    expect_plain(random, 3, 1, {{0, 0}, 70, 64, false, dtype});     // tail only
    expect_plain(random, 1, 4, {{130, 3}, 4, 16, true, dtype});     // bias, tail = new
    expect_plain(random, 4, 30,
                 {{100, 64, 1}, 50, 24, true, dtype});  // two token blocks, odd head_dim
    expect_plain(random, 2, 5, {{2500, 1030}, 300, 20, true, dtype});  // several parts merged
    expect_plain(random, 7, 2, {{5}, 3, 5, false, dtype});  // seven heads, head_dim below a vector
  }
}

TEST(RaggedAttention, AgreesWithPlainSoftmaxOnRandomShapes) {
  for (unsigned seed = 0; seed < 40; ++seed) {
    SCOPED_TRACE(seed);
    std::mt19937 random(seed);
    CacheShape shape;
    const int64_t kv_heads = test::pick(random, 1, 4);
    for (int64_t k = 0; k < kv_heads; ++k) shape.kept.push_back(test::pick(random, 0, 200));
    shape.tail = test::pick(random, 1, 90);
    shape.head_dim = test::pick(random, 1, 80);
    shape.has_bias = random() % 2 == 0;
    const int64_t new_tokens = test::pick(random, 1, std::min<int64_t>(shape.tail, 12));
    expect_plain(random, test::pick(random, 1, 6), new_tokens, shape);
  }
}

TEST(RaggedAttention, ATokenHasTheSameBytesAmongOthersOfItsSequenceAndAlone) {
  std::mt19937 random(8);
  for (const auto dtype : {at::kFloat, at::kBFloat16}) {
    // With the last tokens the entries pass 1024, where they are cut into two parts.
    auto cache =
        make_cache(random, {.kept = {1015, 1015}, .tail = 16, .head_dim = 64, .dtype = dtype});
    const auto queries = normal(random, {6, 12, 64}).to(dtype);
    const auto together = ragged_attention(queries, cache, 0.3);
    const auto keys = cache.tail_keys, values = cache.tail_values;
    for (int64_t token = 0; token < 12; ++token) {
      cache.tail_keys = keys.narrow(1, 0, 4 + token + 1);
      cache.tail_values = values.narrow(1, 0, 4 + token + 1);
      const auto alone = ragged_attention(queries.narrow(1, token, 1), cache, 0.3);
      EXPECT_TRUE(at::equal(alone, together.narrow(1, token, 1))) << dtype << ", token " << token;
    }
  }
}

TEST(RaggedAttention, GivesTheSameBytesOnOneThread) {
  std::mt19937 random(3);
  const auto cache = make_cache(random, {{2000, 1500, 1800}, 3, 64, false, at::kBFloat16});
  const auto queries = normal(random, {9, 1, 64}).to(at::kBFloat16);
  const int threads = at::get_num_threads();
  const auto several = ragged_attention(queries, cache, 0.125);
  at::set_num_threads(1);
  const auto one = ragged_attention(queries, cache, 0.125);
  at::set_num_threads(threads);
  EXPECT_TRUE(at::equal(several, one));
}

TEST(RaggedAttention, LargeLogitsDoNotOverflow) {
  std::mt19937 random(4);
  auto cache = make_cache(random, {{100}, 1, 16});
  cache.prefix.keys.mul_(1e4);
  const auto output = ragged_attention(normal(random, {1, 1, 16}), cache, 1.0);
  EXPECT_TRUE(at::isfinite(output).all().item<bool>());
}

TEST(RaggedAttention, ANotANumberInOneKeyIsNotHidden) {
  std::mt19937 random(5);
  auto cache = make_cache(random, {{100}, 1, 16});
  cache.prefix.keys[40].fill_(std::nan(""));
  const auto output = ragged_attention(normal(random, {1, 1, 16}), cache, 1.0);
  EXPECT_TRUE(at::isnan(output).all().item<bool>());
}

TEST(RaggedAttention, RefusesWhatDoesNotFit) {
  std::mt19937 random(6);
  const auto cache = make_cache(random, {{4, 4}, 2, 16});
  const auto error_of = [&](const at::Tensor& queries) -> std::string {
    try {
      ragged_attention(queries, cache, 1.0);
    } catch (const Error& error) {
      EXPECT_EQ(error.kind(), Kind::shape);
      return error.what();
    }
    return "no error";
  };
  EXPECT_EQ(error_of(at::ones({3, 1, 16})),
            "queries of 3 heads x 16 do not fit a cache of 2 KV heads x 16");
  EXPECT_EQ(error_of(at::ones({4, 3, 16})),
            "3 new tokens, need 1 .. 2 (the tail holds them already)");
  EXPECT_EQ(error_of(at::ones({4, 1, 16}, at::kDouble)),
            "queries are Double, need f32, bf16 or f16");
  EXPECT_EQ(error_of(at::ones({4, 1, 16}, at::kHalf)),
            "cache is Float on cpu, queries are Half on cpu; need the same");
}

}  // namespace
}  // namespace kvcal
