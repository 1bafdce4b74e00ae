// SPDX-License-Identifier: Apache-2.0
// Attention Matching as variants of the engine, on a tiny random model.
#include <ATen/ATen.h>
#include <gtest/gtest.h>

#include "engine/replay.hpp"
#include "kvcal/profile/engine.hpp"
#include "support/engine_fixture.hpp"
#include "support/error_text.hpp"

namespace kvcal {
namespace {

/// Attention Matching in the same sweep as eviction.
class MatchingEngineTest : public test::EngineFixture {
 protected:
  const Method matching_ = load_method("am_highest_attention");
  const Method omp_ = load_method("am_omp_fast");
  const Method study_ = load_method("am_study");
  const Budget tiny_budget_ = Budget::parse("12");
};

TEST_F(MatchingEngineTest, RunsInEveryVisibilityAndCountsTheBytesOfTheBias) {
  std::vector<Variant> variants;
  for (const auto visibility : {Visibility::aware, Visibility::agnostic, Visibility::multi}) {
    variants.push_back({&full_, nullptr, visibility});
    for (const auto* method : {&matching_, &omp_, &study_}) {
      variants.push_back({method, &tiny_budget_, visibility});
    }
  }
  const auto records = engine().run("task", sample("a", 12), variants);
  const int64_t entries = 12 * config_.layers * config_.kv_heads;
  for (const auto& record : records) {
    if (record.method == "full") continue;
    SCOPED_TRACE(record.method + " " + record.visibility);
    EXPECT_EQ(record.kept_entries, entries);
    EXPECT_EQ(record.kept_bytes, entries * (2 * config_.head_dim * 4 + 4));
    EXPECT_GT(record.kl, 0);
    EXPECT_LT(record.kl, 5);
  }
}

TEST_F(MatchingEngineTest, ABudgetInBytesPaysForTheBias) {
  const Budget bytes = Budget::parse("16KiB");
  const std::vector<Variant> variants{{&matching_, &bytes, Visibility::agnostic},
                                      {&snapkv_, &bytes, Visibility::agnostic}};
  const auto records = engine().run("task", sample("a", 12), variants);
  EXPECT_LE(records[0].kept_bytes, 16 * 1024);
  EXPECT_LE(records[1].kept_bytes, 16 * 1024);
  EXPECT_LT(records[0].kept_entries, records[1].kept_entries);
}

TEST_F(MatchingEngineTest, ASampleGetsTheSameResultWhateverRunsBesideIt) {
  const std::vector<Variant> both{{&full_, nullptr, Visibility::agnostic},
                                  {&study_, &small_, Visibility::agnostic},
                                  {&matching_, &tiny_budget_, Visibility::agnostic}};
  const std::vector<Variant> alone{both[0], both[2]};
  auto in_company = engine();
  in_company.run("task", sample("other", 20), both);
  EXPECT_EQ(in_company.run("task", sample("a", 12), both)[2].kl,
            engine().run("task", sample("a", 12), alone)[1].kl);
}

/// Gathers the queries of one layer.
struct QueriesOf : LayerObserver {
  explicit QueriesOf(int64_t layer_) : layer(layer_) {}
  void after_attention(const AttentionStep& step) override {
    if (step.layer == layer) queries.add(step.queries, queries.positions.size(), 1024);
  }
  int64_t layer;
  ReferenceQueries queries;
};

TEST_F(MatchingEngineTest, OnPolicyALayerIsMatchedWithQueriesThatSawTheCompactedOnesBefore) {
  const auto prompt = ids(60);
  auto prefilled = prefill(model_, prompt, matching_.needs());
  replay(model_, prompt, ReplayText(tokenizer_, chat_, false), matching_.needs(), prefilled);
  const ProfileFacts facts;
  Compressor compressor(model_, prefilled, facts, 0);
  const Method on_policy = load_method("am_on_policy");
  const auto off = compressor.compress(matching_, 20, 1),
             on = compressor.compress(on_policy, 20, 1);
  const auto values = [](const Compression& made, int64_t layer) {
    return made.cache.layer(layer).prefix.values;
  };
  EXPECT_TRUE(at::allclose(values(on, 0), values(off, 0), 1e-3, 1e-4)) << "nothing before it";

  // By hand: the repetition is read over a compacted first layer.
  ASSERT_EQ(prefilled.reference_texts.size(), 1u);
  const auto& text = prefilled.reference_texts.front();
  auto cache = prefilled.cache.sealed(static_cast<int64_t>(text.ids.size()));
  cache.replace_prefix(0, on.cache.layer(0).prefix);
  QueriesOf second(1);
  model_.forward(text.ids, cache, LogitsWanted::none, &second);
  LayerView view;
  view.layer = 1;
  view.keys = prefilled.cache.tail_keys(1), view.values = prefilled.cache.tail_values(1);
  view.queries = at::empty({config_.heads, 0, config_.head_dim});
  view.statistics.repeat_queries = second.queries;
  const auto scores = on_policy.scorer->score(view);
  const auto keep = select_top(scores, at::full({config_.kv_heads}, 20, at::kLong));
  const auto expected = on_policy.compactor->compact({view, scores, keep});
  EXPECT_TRUE(at::equal(on.kept[1].indices, keep.indices));
  EXPECT_TRUE(at::allclose(values(on, 1), expected.values, 1e-3, 1e-4));
  EXPECT_FALSE(at::allclose(values(on, 1), values(off, 1), 1e-3, 1e-4)) << "another policy";
}

TEST_F(MatchingEngineTest, OneChunkIsNoChunkAndSeveralKeepTheBudget) {
  Method chunked = matching_;
  const auto prompt = ids(60);
  auto prefilled = prefill(model_, prompt, matching_.needs());
  replay(model_, prompt, ReplayText(tokenizer_, chat_, false), matching_.needs(), prefilled);
  const ProfileFacts facts;
  Compressor compressor(model_, prefilled, facts, 0);
  const auto whole = compressor.compress(matching_, 20, 1);
  chunked.chunk_tokens = 60;
  const auto one = compressor.compress(chunked, 20, 1);
  EXPECT_TRUE(at::equal(one.cache.layer(0).prefix.values, whole.cache.layer(0).prefix.values));
  chunked.chunk_tokens = 25;  // 25 + 25 + 10 tokens, 12 + 13 + 5 entries
  const auto three = compressor.compress(chunked, 30, 1);
  const auto& prefix = three.cache.layer(1).prefix;
  EXPECT_EQ(prefix.total_kept(), 30 * config_.kv_heads);
  const auto kept = three.kept[1].of_head(0);
  EXPECT_EQ((kept < 25).sum().item<int64_t>(), 12);
  EXPECT_EQ((kept >= 50).sum().item<int64_t>(), 5);
  EXPECT_TRUE((kept.diff() > 0).all().item<bool>());
  const auto text = test::error_text(Kind::config, [&] { compressor.compress(chunked, 12, 1); });
  EXPECT_NE(text.find("gives a chunk of 10 tokens 2, below the 5 it needs"), std::string::npos)
      << text;
}

}  // namespace
}  // namespace kvcal
