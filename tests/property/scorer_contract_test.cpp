// SPDX-License-Identifier: Apache-2.0
// What every registered scorer promises, on random layers. A new scorer is tested without an edit.
#include <ATen/ATen.h>
#include <gtest/gtest.h>

#include <algorithm>

#include "kvcal/compress/compactor.hpp"
#include "kvcal/compress/keep_set.hpp"
#include "kvcal/compress/scorer.hpp"
#include "support/field_contract.hpp"
#include "support/random_layer.hpp"

namespace kvcal {
namespace {

using test::LayerShape;
using test::pick;

struct Layer {
  LayerView view;
  ProfileFacts profile;
};

/// A random layer that has what the scorer needs.
void make_layer(std::mt19937& random, const Needs& needs, Layer& layer) {
  LayerShape shape;
  shape.kv_heads = pick(random, 1, 4);
  shape.group = pick(random, 4, 6);  // at least the four heads that srh_window asks for
  shape.window = needs.window_tokens + pick(random, 0, 3);
  shape.tokens = std::max(shape.window, needs.min_budget_tokens) +
                 pick(random, 1, 300);  // from 260 on lagkv has two partitions
  shape.head_dim = 2 * pick(random, 1, 20);
  layer.profile = test::plain_profile(1, shape.kv_heads * shape.group, shape.kv_heads);
  layer.view = test::random_layer(random, shape, &layer.profile);
}

class ScorerContract : public testing::TestWithParam<const ScorerInfo*> {
 protected:
  /// Calls check(scorer, view) for 20 seeded layers.
  template <class Check>
  void for_random_layers(Check check) {
    const auto scorer = GetParam()->make({});
    for (unsigned seed = 0; seed < 20; ++seed) {
      SCOPED_TRACE(fmt::format("seed {}", seed));
      std::mt19937 random(seed);
      Layer layer;
      make_layer(random, scorer->needs(), layer);
      check(*scorer, layer.view, random);
    }
  }
};

TEST_P(ScorerContract, ScoresHaveTheStatedShapeAndNoNaN) {
  for_random_layers([](const Scorer& scorer, const LayerView& view, std::mt19937&) {
    const auto scores = scorer.score(view);
    ASSERT_EQ(scores.sizes(), (at::IntArrayRef{view.kv_heads(), view.tokens()}));
    ASSERT_EQ(scores.scalar_type(), at::kFloat);
    EXPECT_FALSE(at::isnan(scores).any().item<bool>());
  });
}

TEST_P(ScorerContract, ScoresAreRepeatable) {
  for_random_layers([](const Scorer& scorer, const LayerView& view, std::mt19937&) {
    EXPECT_TRUE(at::equal(scorer.score(view), scorer.score(view)));
  });
}

TEST_P(ScorerContract, DoesNotChangeItsInput) {
  for_random_layers([](const Scorer& scorer, const LayerView& view, std::mt19937&) {
    const auto queries = view.queries.clone(), keys = view.keys.clone(),
               values = view.values.clone();
    scorer.score(view);
    EXPECT_TRUE(at::equal(queries, view.queries) && at::equal(keys, view.keys) &&
                at::equal(values, view.values));
  });
}

TEST_P(ScorerContract, AcceptsBf16) {
  for_random_layers([](const Scorer& scorer, LayerView view, std::mt19937&) {
    for (auto* tensor : {&view.queries, &view.keys, &view.values, &view.output_weight}) {
      *tensor = tensor->to(at::kBFloat16);
    }
    const auto scores = scorer.score(view);
    EXPECT_EQ(scores.scalar_type(), at::kFloat);
    EXPECT_FALSE(at::isnan(scores).any().item<bool>());
  });
}

TEST_P(ScorerContract, ProtectsNoMoreThanItsSmallestBudget) {
  for_random_layers([](const Scorer& scorer, const LayerView& view, std::mt19937&) {
    const auto is_protected = at::isposinf(scorer.score(view)).sum(1);  // [kv_heads]
    EXPECT_LE(is_protected.max().item<int64_t>(), scorer.needs().min_budget_tokens);
  });
}

TEST_P(ScorerContract, AnyBudgetIsHonouredExactlyWithSortedUniqueTokens) {
  for_random_layers([](const Scorer& scorer, const LayerView& view, std::mt19937& random) {
    auto kept = at::empty({view.kv_heads()}, at::kLong);
    for (int64_t k = 0; k < view.kv_heads(); ++k) {
      kept[k] = pick(random, scorer.needs().min_budget_tokens, view.tokens());
    }
    const auto keep = select_top(scorer.score(view), kept);
    for (int64_t k = 0; k < view.kv_heads(); ++k) {
      const auto indices = keep.of_head(k);
      ASSERT_EQ(indices.numel(), kept[k].item<int64_t>());
      EXPECT_TRUE((indices.diff() > 0).all().item<bool>());
      EXPECT_GE(indices[0].item<int64_t>(), 0);
      EXPECT_LT(indices[-1].item<int64_t>(), view.tokens());
    }
    EXPECT_EQ(gather(view.keys, view.values, keep).total_kept(), kept.sum().item<int64_t>());
  });
}

TEST_P(ScorerContract, ASmallerBudgetKeepsASubset) {
  for_random_layers([](const Scorer& scorer, const LayerView& view, std::mt19937&) {
    const auto scores = scorer.score(view);
    const int64_t small = scorer.needs().min_budget_tokens;
    const auto few = select_top(scores, at::full({view.kv_heads()}, small, at::kLong));
    const auto more = select_top(scores, at::full({view.kv_heads()}, small + 1, at::kLong));
    for (int64_t k = 0; k < view.kv_heads(); ++k) {
      EXPECT_TRUE(at::isin(few.of_head(k), more.of_head(k)).all().item<bool>());
    }
  });
}

TEST_P(ScorerContract, ABudgetOfAllTokensIsTheIdentity) {
  for_random_layers([](const Scorer& scorer, const LayerView& view, std::mt19937&) {
    const auto keep =
        select_top(scorer.score(view), at::full({view.kv_heads()}, view.tokens(), at::kLong));
    const auto layer = gather(view.keys, view.values, keep);
    EXPECT_TRUE(at::equal(layer.keys, view.keys.reshape({-1, view.head_dim()})));
    EXPECT_TRUE(at::equal(layer.values, view.values.reshape({-1, view.head_dim()})));
  });
}

TEST_P(ScorerContract, SharedKvHeadsScoreTheMeanOfRepeatedOnes) {
  // Repeating each KV head over its group leaves the model as it is, so the mean over a group has
  // to stay.
  if (GetParam()->name == "random") GTEST_SKIP() << "draws anew for every KV head";
  for_random_layers([](const Scorer& scorer, const LayerView& view, std::mt19937&) {
    const int64_t group = view.heads() / view.kv_heads();
    LayerView repeated = view;
    repeated.keys = view.keys.repeat_interleave(group, 0);
    repeated.values = view.values.repeat_interleave(group, 0);
    auto& replay = repeated.statistics.replay_attention;
    replay = replay.repeat_interleave(group, 0);
    const auto shared = scorer.score(view);
    const auto each = scorer.score(repeated).view({view.kv_heads(), group, -1});
    // KVzip+ takes the largest of a group by definition, reference_attention the root of the mean
    // square; all others take the mean.
    const auto expected = GetParam()->name == "kvzip_plus"            ? each.amax(1)
                          : GetParam()->name == "reference_attention" ? each.square().mean(1).sqrt()
                                                                      : each.mean(1);
    EXPECT_TRUE(at::allclose(shared, expected, 1e-4, 1e-7));
  });
}

TEST_P(ScorerContract, AFieldThatAnotherMakesMeaninglessNamesItAndItsValues) {
  test::expect_sound_conditions(*GetParam());
}

INSTANTIATE_TEST_SUITE_P(All, ScorerContract,
                         testing::ValuesIn(scorer_table().begin(), scorer_table().end()),
                         [](const auto& row) { return std::string(row.param->name); });

}  // namespace
}  // namespace kvcal
