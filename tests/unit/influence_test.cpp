// SPDX-License-Identifier: Apache-2.0
// What one KV head's compaction costs the answers, on a tiny random model.
#include <ATen/ATen.h>
#include <gtest/gtest.h>

#include "kvcal/compress/error.hpp"
#include "kvcal/profile/measure.hpp"
#include "store/hdf5.hpp"
#include "support/error_text.hpp"
#include "support/paths.hpp"
#include "support/tiny_model_fixture.hpp"

namespace kvcal {
namespace {

class InfluenceTest : public test::TinyModelFixture {
 protected:
  const ProfileFacts facts_;

  MeasureSetup setup(std::vector<double> shares) const {
    return {config_, facts_, load_method("am_highest_attention"), {}, std::move(shares), 0.2, 0};
  }

  /// Of one prompt.
  Profile measured(std::vector<double> shares) const {
    Sample sample;
    sample.id = "a";
    sample.context = boats(6);
    sample.question = "Which boat left?";
    sample.max_new_tokens = 4;
    sample.chat = false;
    const auto measure = find_measure("influence").make(setup(std::move(shares)));
    const auto file = test::scratch_dir() / "influence.h5";
    {
      Hdf5Writer shard(file);
      measure->run({model_, tokenizer_, chat_}, sample, shard);
      shard.finish();
    }
    measure->add("task", Hdf5Reader(file));
    Profile profile;
    profile.model.layers = config_.layers, profile.model.kv_heads = config_.kv_heads;
    measure->store(profile);
    return profile;
  }
};

TEST_F(InfluenceTest, AKvHeadThatKeepsWhatTheOthersKeepCostsNothing) {
  const auto costs = *measured({0.1, 0.2001, 0.8}).kv_head_influence;
  EXPECT_EQ(costs.shares, (std::vector<double>{0.1, 0.2, 0.2001, 0.8}));
  EXPECT_EQ(costs.count, 1);
  ASSERT_EQ(costs.sum.size(), static_cast<size_t>(config_.layers * config_.kv_heads * 4));
  bool has_effect = false;
  for (size_t i = 0; i < costs.sum.size(); i += 4) {
    EXPECT_EQ(costs.sum[i + 1], 0) << "by definition";
    EXPECT_EQ(costs.sum[i + 2], 0) << "as many entries: the same cache";
    has_effect |= costs.sum[i] != 0 && costs.sum[i + 3] != 0;
  }
  EXPECT_TRUE(has_effect);
}

TEST_F(InfluenceTest, SharesFollowFromTheCurves) {
  const auto profile = measured({0.1, 0.8});
  const auto facts = profile.facts();
  ASSERT_TRUE(facts.kv_head_influence.has_value());
  AllocationRequest request;
  request.layers = config_.layers, request.kv_heads = config_.kv_heads;
  request.tokens = 200, request.budget_tokens = 20, request.profile = &facts;
  const auto rule = find_allocator("am_influence").make({});
  const auto kept = rule->allocate(request);
  EXPECT_EQ(kept.sum().item<int64_t>(), request.total());
  EXPECT_GT(kept.max().item<int64_t>(), kept.min().item<int64_t>());
}

TEST_F(InfluenceTest, TheShareOfTheOthersIsNotMeasured) {
  const auto& info = find_measure("influence");
  EXPECT_EQ(test::error_text(Kind::config,
                             [&] {
                               info.make(setup({0.1, 0.2}));
                             }),
            "--shares has 0.2, which is what the other KV heads keep: its loss is known to be 0");
  EXPECT_EQ(test::error_text(Kind::config,
                             [&] {
                               info.make(setup({0.3, 0.1}));
                             }),
            "--shares 0.3,0.1: need ascending shares above 0 and below 1");
  EXPECT_EQ(test::error_text(Kind::config, [] { find_measure("influense"); }),
            "no measure 'influense', did you mean 'influence'? (known: error, influence, kl, "
            "utility)");
}

}  // namespace
}  // namespace kvcal
