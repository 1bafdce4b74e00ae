// SPDX-License-Identifier: Apache-2.0
// Statistics that stream out of a chunked prefill against formulas over all queries at once.
#include "engine/prefill_statistics.hpp"

#include <ATen/ATen.h>
#include <gtest/gtest.h>

#include "kvcal/compress/kernels.hpp"
#include "kvcal/profile/engine.hpp"
#include "support/paths.hpp"

namespace kvcal {
namespace {

/// All queries of each layer, before and after RoPE, from a prompt fed at once.
class Recorder : public LayerObserver {
 public:
  void after_attention(const AttentionStep& step) override {
    queries.push_back(step.queries.clone());
    before_rope.push_back(step.queries_before_rope);
    inputs.push_back(step.input);
  }
  bool wants_queries_before_rope() const override { return true; }

  std::vector<at::Tensor> queries, before_rope, inputs;
};

class PrefillStatisticsTest : public testing::Test {
 protected:
  Model load(int64_t chunk_tokens) const {
    return Model::load(test::test_file("parity/model/tiny_llama"),
                       {.dtype = "f32", .prefill_chunk_tokens = chunk_tokens});
  }

  static std::vector<int64_t> ids(int64_t count, int64_t step = 7) {
    std::vector<int64_t> ids;
    for (int64_t i = 0; i < count; ++i) ids.push_back(5 + i * step % 300);
    return ids;
  }

  static Needs everything() {
    Needs needs;
    needs.window_tokens = 5;
    needs.column_sums = needs.query_moments = true;
    return needs;
  }
};

TEST_F(PrefillStatisticsTest, AChunkedPromptHasTheColumnSumsOfTheWholeMatrix) {
  const auto model = load(7);
  const auto prompt = prefill(model, ids(40), everything());
  Recorder all;
  const auto whole = load(64);
  auto cache = whole.make_cache(40);
  whole.forward(ids(40), cache, LogitsWanted::none, &all);
  for (int64_t layer = 0; layer < model.config().layers; ++layer) {
    const auto index = static_cast<size_t>(layer);
    const auto matrix = window_attention(all.queries[index], cache.tail_keys(layer), 0.25);
    const auto& sums = prompt.statistics[index].column_sums;
    ASSERT_EQ(sums.sizes(), (at::IntArrayRef{model.config().heads, 40}));
    EXPECT_TRUE(at::allclose(sums, matrix.sum(1), 1e-4, 1e-5)) << "layer " << layer;
  }
}

TEST_F(PrefillStatisticsTest, AChunkedPromptHasTheMomentsOfAllQueriesButTheFirstFour) {
  const auto prompt = prefill(load(3), ids(40), everything());
  Recorder all;
  const auto whole = load(64);
  auto cache = whole.make_cache(40);
  whole.forward(ids(40), cache, LogitsWanted::none, &all);
  for (size_t layer = 0; layer < prompt.statistics.size(); ++layer) {
    const auto queries = all.before_rope[layer].slice(1, 4);  // [heads, 36, head_dim]
    const auto mean = queries.mean(1);
    const auto centred = queries - mean.unsqueeze(1);
    const auto covariance = at::matmul(centred.transpose(1, 2), centred) / 36;
    const auto& statistics = prompt.statistics[layer];
    EXPECT_TRUE(at::allclose(statistics.query_mean, mean, 1e-4, 1e-5));
    EXPECT_TRUE(at::allclose(statistics.query_covariance, covariance, 1e-4, 1e-5));
  }
}

TEST_F(PrefillStatisticsTest, QueriesBeforeRopeAreTheProjectedInputOfTheLayer) {
  const auto model = load(64);
  Recorder all;
  auto cache = model.make_cache(9);
  model.forward(ids(9), cache, LogitsWanted::none, &all);
  // Position 0 is not turned; a later one is, and keeps its length.
  const auto before = all.before_rope[1], after = all.queries[1];
  EXPECT_TRUE(at::allclose(before.select(1, 0), after.select(1, 0), 1e-5, 1e-6));
  EXPECT_FALSE(at::allclose(before.select(1, 5), after.select(1, 5), 1e-2, 1e-2));
  EXPECT_TRUE(at::allclose(before.norm(2, 2), after.norm(2, 2), 1e-4, 1e-5));
  EXPECT_EQ(all.inputs[1].sizes(), (at::IntArrayRef{9, model.config().hidden}));
}

TEST_F(PrefillStatisticsTest, NothingIsGatheredThatWasNotAskedFor) {
  const auto prompt = prefill(load(64), ids(20), Needs{});
  EXPECT_FALSE(prompt.window_queries[0].defined());
  EXPECT_FALSE(prompt.statistics[0].column_sums.defined());
  EXPECT_FALSE(prompt.statistics[0].query_mean.defined());
}

TEST_F(PrefillStatisticsTest, APromptOfTheSkippedTokensHasMomentsOfZero) {
  const auto prompt = prefill(load(64), ids(4), everything());
  EXPECT_EQ(prompt.statistics[0].query_mean.abs().sum().item<float>(), 0);
  EXPECT_EQ(prompt.statistics[0].query_covariance.abs().sum().item<float>(), 0);
}

TEST_F(PrefillStatisticsTest, ACloneGoesOnWithAnotherRestToTheSameBits) {
  const auto model = load(8);
  const auto shared = ids(16), first_rest = ids(13, 11), second_rest = ids(21, 5);
  auto cache = model.make_cache(40);
  PrefillStatistics statistics(model.config().layers, everything());
  model.forward(shared, cache, LogitsWanted::none, &statistics);
  auto taken = statistics.clone();
  model.forward(first_rest, cache, LogitsWanted::none, &statistics);  // leaves the clone alone
  cache.truncate_tail(16);
  model.forward(second_rest, cache, LogitsWanted::none, &taken);

  auto prompt = shared;
  prompt.insert(prompt.end(), second_rest.begin(), second_rest.end());
  const auto cold = prefill(model, prompt, everything());
  const auto warm = taken.statistics();
  for (size_t layer = 0; layer < warm.size(); ++layer) {
    EXPECT_TRUE(at::equal(warm[layer].column_sums, cold.statistics[layer].column_sums));
    EXPECT_TRUE(at::equal(warm[layer].query_mean, cold.statistics[layer].query_mean));
    EXPECT_TRUE(at::equal(warm[layer].query_covariance, cold.statistics[layer].query_covariance));
    EXPECT_TRUE(at::equal(taken.window_queries()[layer], cold.window_queries[layer]));
  }
}

}  // namespace
}  // namespace kvcal
