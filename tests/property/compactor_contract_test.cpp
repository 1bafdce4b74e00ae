// SPDX-License-Identifier: Apache-2.0
// What every registered compactor promises, on random layers. A new compactor is tested without an
// edit.
#include <ATen/ATen.h>
#include <gtest/gtest.h>

#include <limits>

#include "kvcal/compress/compactor.hpp"
#include "support/random_layer.hpp"

namespace kvcal {
namespace {

using test::pick;

constexpr int64_t kProtectedAtStart = 3;

class CompactorContract : public testing::TestWithParam<const CompactorInfo*> {
 protected:
  /// Calls check(compactor, request) for 20 seeded layers; the first kProtectedAtStart tokens are
  /// protected and every KV head keeps another number of entries.
  template <class Check>
  void for_random_requests(Check check) {
    const auto compactor = GetParam()->make({});
    for (unsigned seed = 0; seed < 20; ++seed) {
      SCOPED_TRACE(fmt::format("seed {}", seed));
      std::mt19937 random(seed);
      test::LayerShape shape;
      shape.kv_heads = pick(random, 1, 4);
      shape.window = std::max<int64_t>(1, compactor->needs().window_tokens);
      shape.tokens = shape.window + kProtectedAtStart + pick(random, 1, 80);
      const auto profile = test::plain_profile(1, shape.kv_heads * shape.group, shape.kv_heads);
      auto view = test::random_layer(random, shape, &profile);
      if (seed % 2 == 1) view.bias = test::normal(random, {shape.kv_heads, shape.tokens});
      if (seed % 3 == 2) {
        view.keys = view.keys.to(at::kBFloat16);
        view.values = view.values.to(at::kBFloat16);
      }
      auto scores = test::normal(random, {shape.kv_heads, shape.tokens}).abs_();
      scores.narrow(1, 0, kProtectedAtStart).fill_(std::numeric_limits<double>::infinity());
      auto kept = at::empty({shape.kv_heads}, at::kLong);
      for (int64_t k = 0; k < shape.kv_heads; ++k) {
        kept[k] = pick(random, kProtectedAtStart, shape.tokens);
      }
      const auto keep = select_top(scores, kept);
      check(*compactor, CompactionRequest{view, scores, keep});
    }
  }
};

TEST_P(CompactorContract, GivesOneEntryForEachChosenTokenInTheirOrder) {
  for_random_requests([](const Compactor& compactor, const CompactionRequest& request) {
    const auto layer = compactor.compact(request).with_own_entries();
    EXPECT_TRUE(at::equal(layer.offsets, request.keep.offsets));
    EXPECT_EQ(layer.keys.sizes(), (at::IntArrayRef{request.keep.total(), request.view.head_dim()}));
    EXPECT_EQ(layer.values.sizes(), layer.keys.sizes());
    EXPECT_EQ(layer.keys.scalar_type(), request.view.keys.scalar_type());
    EXPECT_EQ(layer.values.scalar_type(), request.view.values.scalar_type());
    EXPECT_TRUE(at::isfinite(layer.values).all().item<bool>());
    if (!layer.bias.defined()) return;
    EXPECT_EQ(layer.bias.sizes(), at::IntArrayRef{request.keep.total()});
    EXPECT_EQ(layer.bias.scalar_type(), at::kFloat);
    EXPECT_TRUE(at::isfinite(layer.bias).all().item<bool>());
  });
}

TEST_P(CompactorContract, HasABiasWhereItSaysSoOrThereWasOne) {
  for_random_requests([](const Compactor& compactor, const CompactionRequest& request) {
    EXPECT_EQ(compactor.compact(request).bias.defined(),
              compactor.has_bias() || request.view.bias.defined());
  });
}

TEST_P(CompactorContract, LeavesProtectedEntriesAsTheyAre) {
  for_random_requests([](const Compactor& compactor, const CompactionRequest& request) {
    const auto layer = compactor.compact(request).with_own_entries();
    const auto& view = request.view;
    for (int64_t k = 0; k < view.kv_heads(); ++k) {
      const auto first = request.keep.offsets[k].item<int64_t>();
      EXPECT_TRUE(at::equal(layer.keys.narrow(0, first, kProtectedAtStart),
                            view.keys[k].narrow(0, 0, kProtectedAtStart)));
      EXPECT_TRUE(at::equal(layer.values.narrow(0, first, kProtectedAtStart),
                            view.values[k].narrow(0, 0, kProtectedAtStart)));
      if (!layer.bias.defined()) continue;
      const auto had = view.bias.defined() ? view.bias[k].narrow(0, 0, kProtectedAtStart)
                                           : at::zeros({kProtectedAtStart});
      EXPECT_TRUE(at::equal(layer.bias.narrow(0, first, kProtectedAtStart), had));
    }
  });
}

TEST_P(CompactorContract, IsRepeatableAndLeavesItsInputAlone) {
  for_random_requests([](const Compactor& compactor, const CompactionRequest& request) {
    const auto keys = request.view.keys.clone(), values = request.view.values.clone();
    const auto once = compactor.compact(request), again = compactor.compact(request);
    EXPECT_TRUE(at::equal(once.values, again.values));
    EXPECT_TRUE(at::equal(keys, request.view.keys) && at::equal(values, request.view.values));
  });
}

INSTANTIATE_TEST_SUITE_P(All, CompactorContract,
                         testing::ValuesIn(compactor_table().begin(), compactor_table().end()),
                         [](const auto& row) { return std::string(row.param->name); });

}  // namespace
}  // namespace kvcal
