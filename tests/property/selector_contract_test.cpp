// SPDX-License-Identifier: Apache-2.0
// What every registered selector promises, on random layers. A new selector is tested without an
// edit.
#include <ATen/ATen.h>
#include <gtest/gtest.h>

#include <limits>

#include "kvcal/compress/selector.hpp"
#include "support/error_text.hpp"
#include "support/random_layer.hpp"

namespace kvcal {
namespace {

using test::pick;

constexpr int64_t kProtectedAtEnd = 3;

class SelectorContract : public testing::TestWithParam<const SelectorInfo*> {
 protected:
  /// Calls check(selector, request) for 30 seeded layers; the last kProtectedAtEnd tokens are
  /// protected.
  template <class Check>
  void for_random_requests(Check check) {
    const auto selector = GetParam()->make({});
    for (unsigned seed = 0; seed < 30; ++seed) {
      SCOPED_TRACE(fmt::format("seed {}", seed));
      std::mt19937 random(seed);
      test::LayerShape shape;
      shape.kv_heads = pick(random, 1, 4);
      shape.window = std::max<int64_t>(1, selector->needs().window_tokens);
      shape.tokens = shape.window + kProtectedAtEnd + pick(random, 1, 150);
      const auto profile = test::plain_profile(1, shape.kv_heads * shape.group, shape.kv_heads);
      const auto view = test::random_layer(random, shape, &profile);
      auto scores = test::normal(random, {shape.kv_heads, shape.tokens}).abs_();
      scores.narrow(1, shape.tokens - kProtectedAtEnd, kProtectedAtEnd)
          .fill_(std::numeric_limits<double>::infinity());
      auto kept = at::empty({shape.kv_heads}, at::kLong);
      for (int64_t k = 0; k < shape.kv_heads; ++k) {
        kept[k] = pick(random, kProtectedAtEnd, shape.tokens);
      }
      check(*selector, SelectionRequest{scores, selector->measure(view), kept, &view});
    }
  }
};

TEST_P(SelectorContract, KeepsSortedUniqueTokensProtectedOnesAmongThem) {
  for_random_requests([](const Selector& selector, const SelectionRequest& request) {
    const auto keep = selector.select(request);
    const int64_t tokens = request.scores.size(1);
    ASSERT_EQ(keep.kv_heads(), request.scores.size(0));
    for (int64_t k = 0; k < keep.kv_heads(); ++k) {
      const auto indices = keep.of_head(k);
      EXPECT_TRUE((indices.diff() > 0).all().item<bool>());
      ASSERT_GE(indices.numel(), kProtectedAtEnd);
      EXPECT_GE(indices[0].item<int64_t>(), 0);
      EXPECT_TRUE(at::equal(indices.slice(0, -kProtectedAtEnd),
                            at::arange(tokens - kProtectedAtEnd, tokens, at::kLong)));
    }
  });
}

TEST_P(SelectorContract, KeepsJustWhatIsAllowedWhereItIsExact) {
  if (!GetParam()->make({})->is_exact()) GTEST_SKIP() << "says of itself that it is not exact";
  for_random_requests([](const Selector& selector, const SelectionRequest& request) {
    EXPECT_TRUE(at::equal(selector.select(request).offsets.diff(), request.kept));
  });
}

TEST_P(SelectorContract, KeepsAllWhereAllMayStay) {
  for_random_requests([](const Selector& selector, const SelectionRequest& request) {
    const auto all = at::full_like(request.kept, request.scores.size(1));
    const auto keep = selector.select({request.scores, request.measure, all, request.view});
    EXPECT_TRUE(at::equal(keep.offsets.diff(), all));
  });
}

TEST_P(SelectorContract, IsRepeatableAndLeavesTheScoresAlone) {
  for_random_requests([](const Selector& selector, const SelectionRequest& request) {
    const auto before = request.scores.clone();
    const auto once = selector.select(request), again = selector.select(request);
    EXPECT_TRUE(at::equal(once.indices, again.indices));
    EXPECT_TRUE(at::equal(before, request.scores));
  });
}

TEST_P(SelectorContract, RefusesNaN) {
  for_random_requests([](const Selector& selector, const SelectionRequest& request) {
    auto scores = request.scores.clone();
    scores[0][0] = std::numeric_limits<float>::quiet_NaN();
    const auto text = test::error_text(Kind::numeric, [&] {
      selector.select({scores, request.measure, request.kept, request.view});
    });
    EXPECT_NE(text.find("NaN"), std::string::npos) << text;
  });
}

INSTANTIATE_TEST_SUITE_P(All, SelectorContract,
                         testing::ValuesIn(selector_table().begin(), selector_table().end()),
                         [](const auto& row) { return std::string(row.param->name); });

}  // namespace
}  // namespace kvcal
