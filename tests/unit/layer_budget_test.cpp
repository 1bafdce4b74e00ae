// SPDX-License-Identifier: Apache-2.0
#include "kvcal/profile/layer_budget.hpp"

#include <ATen/ATen.h>
#include <gtest/gtest.h>

#include <numeric>

#include "kvcal/compress/error.hpp"
#include "support/error_text.hpp"
#include "support/paths.hpp"

namespace kvcal {
namespace {

TEST(LayerError, IsRelativeToTheProjectedFullOutput) {
  const auto weight = at::tensor({2.f, 0.f, 0.f, 2.f}).reshape({2, 2});
  const auto full = at::tensor({3.f, 4.f}).reshape({1, 2});        // projected norm 10
  const auto compressed = at::tensor({3.f, 3.f}).reshape({1, 2});  // difference 1, projected 2
  EXPECT_NEAR(relative_output_error(full, compressed, weight), 0.2, 1e-6);
  EXPECT_EQ(relative_output_error(full, full, weight), 0);
}

TEST(LayerError, EvictionThatKeepsEverythingCostsNothing) {
  const auto directory = test::test_file("parity/model/tiny_llama");
  const auto model = Model::load(directory, {.dtype = "f32"});
  std::vector<int64_t> ids(30);
  std::iota(ids.begin(), ids.end(), 5);
  const auto prefilled = prefill(model, ids, Needs{});
  auto cache = prefilled.cache.sealed(4);
  std::vector<CompactLayer> everything;
  for (int64_t layer = 0; layer < cache.layers(); ++layer)
    everything.push_back(cache.layer(layer).prefix);
  EvictionErrorObserver observer(everything);
  generate(model, cache, prefilled.last_logits, 4, {}, &observer);
  EXPECT_EQ(observer.steps(), 3);  // the first of four tokens comes from the prefill
  for (double error : observer.sum()) EXPECT_NEAR(error, 0, 1e-5);
}

TEST(LayerError, EvictionShowsInEveryLayerAndAllocationFollowsIt) {
  const auto directory = test::test_file("parity/model/tiny_llama");
  const auto config = read_model_config(directory);
  const auto model = Model::load(directory, {.dtype = "f32"});
  const auto tokenizer = Tokenizer::load(directory);
  const auto chat = ChatFormat::load(test::source_dir() / "configs/models/plain.yaml");
  Sample sample;
  sample.id = "a";
  for (int i = 0; i < 12; ++i) sample.context += fmt::format("The boat {} left early. ", i);
  sample.max_new_tokens = 4;
  sample.chat = false;
  // Fewer than, as many as and more than the error's own 16 tokens; more than the prompt has.
  const auto measured = measure_layer_error(model, tokenizer, chat, {}, load_method("snapkv"),
                                            {16, {12, 16, 60, 100'000}}, sample, 0);
  EXPECT_EQ(measured.steps, 3);
  ASSERT_EQ(measured.curve.size(), 4 * measured.sum.size());
  double total = 0;
  for (size_t layer = 0; layer < measured.sum.size(); ++layer) {
    const double error = measured.sum[layer];
    EXPECT_GT(error, 0);
    total += error;
    const double* curve = &measured.curve[layer * 4];
    EXPECT_NE(curve[0], error);  // random weights: fewer tokens need not be worse
    EXPECT_EQ(curve[1], error);
    EXPECT_NE(curve[2], error);
    EXPECT_NEAR(curve[3], 0, 1e-5);
  }
  ProfileFacts facts;
  facts.layer_error.emplace();
  for (double error : measured.sum) facts.layer_error->push_back(error / total);
  const auto kept = allocate_for_profile("layer_error", 64, config, facts);
  EXPECT_EQ(std::accumulate(kept.begin(), kept.end(), int64_t{0}),
            64 * config.layers * config.kv_heads);
}

TEST(LayerBudget, AnAllocatorThatLooksAtPromptsCannotBeStored) {
  const auto config = read_model_config(test::test_file("parity/model/tiny_llama"));
  for (const std::string allocator :
       {"ada", "ada_kvf", "cake", "duo", "global", "lukv", "pyramid"}) {
    EXPECT_EQ(
        test::error_text(Kind::config, [&] { allocate_for_profile(allocator, 64, config, {}); }),
        "allocator " + allocator +
            " splits each prompt's budget anew, need one whose split can be stored (uniform, "
            "layer_error, head_score)");
  }
  const auto kept = allocate_for_profile("uniform", 64, config, {});
  EXPECT_EQ(kept.front(), 64);
}

}  // namespace
}  // namespace kvcal
