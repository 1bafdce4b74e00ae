// SPDX-License-Identifier: Apache-2.0
// The engine on a tiny random model: what is kept, what must not depend on what.
#include "kvcal/profile/engine.hpp"

#include <ATen/ATen.h>
#include <gtest/gtest.h>

#include "kvcal/compress/error.hpp"
#include "support/paths.hpp"

namespace kvcal {
namespace {

class EngineTest : public testing::Test {
 protected:
  const std::filesystem::path directory_ = test::test_file("parity/model/tiny_llama");
  const ModelConfig config_ = read_model_config(directory_);
  const Model model_ = Model::load(directory_, {.dtype = "f32"});
  const Tokenizer tokenizer_ = Tokenizer::load(directory_);
  const ChatFormat chat_ = ChatFormat::load(test::source_dir() / "configs/models/plain.yaml");
  const Method full_ = load_method("full");
  const Method snapkv_ = load_method("snapkv");
  const Method random_ = load_method("random");
  const Budget small_ = Budget::parse("16");
  const Budget huge_ = Budget::parse("900");

  Engine engine(ProfileFacts facts = {}) const {
    return {model_, tokenizer_, chat_, std::move(facts), 7};
  }

  Sample sample(const std::string& id, int64_t repeats) const {
    Sample sample;
    sample.id = id;
    for (int64_t i = 0; i < repeats; ++i)
      sample.context += fmt::format("The boat {} left early. ", i);
    sample.question = "Which boat left?";
    sample.references = {"boat"};
    sample.metric = "qa_f1_score";
    sample.max_new_tokens = 6;
    return sample;
  }

  std::vector<int64_t> ids(int64_t count) const {
    std::vector<int64_t> ids;
    for (int64_t i = 0; i < count; ++i) ids.push_back(5 + i * 7 % 300);
    return ids;
  }

  static Needs window(int64_t tokens) {
    Needs needs;
    needs.window_tokens = tokens;
    return needs;
  }
};

TEST_F(EngineTest, KeepsExactlyTheBudgetAndCountsItsBytes) {
  const std::vector<Variant> variants{{&full_, nullptr, Visibility::aware},
                                      {&snapkv_, &small_, Visibility::aware}};
  const auto records = engine().run("task", sample("a", 12), variants);
  ASSERT_EQ(records.size(), 2u);
  const int64_t heads = config_.layers * config_.kv_heads;
  EXPECT_EQ(records[0].kept_entries, records[0].prompt_tokens * heads);
  EXPECT_EQ(records[0].kept_bytes, records[0].full_bytes);
  EXPECT_EQ(records[1].kept_entries, 16 * heads);
  EXPECT_EQ(records[1].kept_bytes, 16 * heads * 2 * config_.head_dim * 4);
  EXPECT_EQ(records[1].kept_per_head, std::vector<int32_t>(static_cast<size_t>(heads), 16));
  EXPECT_FALSE(records[1].uncompressed);
}

TEST_F(EngineTest, APromptWithinTheBudgetIsKeptWholeAndSaysSo) {
  const std::vector<Variant> variants{{&full_, nullptr, Visibility::aware},
                                      {&snapkv_, &huge_, Visibility::aware}};
  const auto records = engine().run("task", sample("a", 3), variants);
  EXPECT_TRUE(records[1].uncompressed);
  EXPECT_FALSE(records[0].uncompressed);
  EXPECT_EQ(records[1].kept_entries, records[0].kept_entries);
  EXPECT_EQ(records[1].prediction, records[0].prediction);
}

TEST_F(EngineTest, ASampleGetsTheSameResultWhateverRunsBesideIt) {
  const std::vector<Variant> both{{&random_, &small_, Visibility::aware},
                                  {&snapkv_, &small_, Visibility::aware}};
  const std::vector<Variant> alone{{&random_, &small_, Visibility::aware}};
  const auto in_company = engine();
  in_company.run("task", sample("other", 20), both);
  const auto first = in_company.run("task", sample("a", 12), both);
  const auto again = engine().run("task", sample("a", 12), alone);
  EXPECT_EQ(first[0].prediction, again[0].prediction);
  EXPECT_EQ(first[0].score, again[0].score);
}

TEST_F(EngineTest, AgnosticCompressesTheContextAndStillReadsTheQuestion) {
  const std::vector<Variant> variants{{&full_, nullptr, Visibility::agnostic},
                                      {&snapkv_, &small_, Visibility::agnostic},
                                      {&full_, nullptr, Visibility::aware}};
  const auto records = engine().run("task", sample("a", 12), variants);
  EXPECT_LT(records[0].prompt_tokens, records[2].prompt_tokens);
  EXPECT_EQ(records[1].kept_entries, 16 * config_.layers * config_.kv_heads);
  EXPECT_EQ(records[0].visibility, "agnostic");
}

TEST_F(EngineTest, TheFullCacheDecodesAsOneForwardPassOverTheWholeSequence) {
  const auto prompt = ids(40);
  const auto prefilled = prefill(model_, prompt, Needs{});
  auto cache = prefilled.cache.sealed(8);
  const auto generation = generate(model_, cache, prefilled.last_logits, 8, {});
  auto sequence = prompt;
  sequence.insert(sequence.end(), generation.ids.begin(), generation.ids.end());
  auto fresh = model_.make_cache(static_cast<int64_t>(sequence.size()));
  const auto logits = model_.forward(sequence, fresh, LogitsWanted::all);
  for (size_t i = 0; i < generation.ids.size(); ++i) {
    const auto row = logits[static_cast<int64_t>(prompt.size() + i) - 1];
    EXPECT_EQ(row.argmax().item<int64_t>(), generation.ids[i]) << "token " << i;
  }
}

TEST_F(EngineTest, GenerationEndsBeforeAStopTokenAndAtTheLimit) {
  const auto prefilled = prefill(model_, ids(20), Needs{});
  auto cache = prefilled.cache.sealed(8);
  const auto free_run = generate(model_, cache, prefilled.last_logits, 5, {});
  ASSERT_EQ(free_run.ids.size(), 5u);
  EXPECT_EQ(free_run.steps, 4);
  auto other = prefilled.cache.sealed(8);
  const std::vector<int64_t> stops{free_run.ids[0]};
  EXPECT_TRUE(generate(model_, other, prefilled.last_logits, 5, stops).ids.empty());
}

TEST_F(EngineTest, GatheredWindowQueriesAreTheLastOnesWhateverTheChunks) {
  const auto model = Model::load(directory_, {.dtype = "f32", .prefill_chunk_tokens = 7});
  const auto chunked = prefill(model, ids(40), window(10));
  const auto whole = prefill(model_, ids(40), window(10));
  ASSERT_EQ(chunked.window_queries.size(), static_cast<size_t>(config_.layers));
  EXPECT_EQ(chunked.window_queries[0].size(1), 10);
  EXPECT_TRUE(at::allclose(chunked.window_queries[2], whole.window_queries[2], 1e-4, 1e-5));
}

TEST_F(EngineTest, ABudgetBelowTheNeedIsRefusedWithBothNumbers) {
  const auto prefilled = prefill(model_, ids(40), window(8));
  const ProfileFacts facts;
  Compressor compressor(model_, prefilled, facts, 0);
  try {
    compressor.compress(snapkv_, 4, 1);
    FAIL();
  } catch (const Error& error) {
    EXPECT_EQ(error.kind(), Kind::config);
    EXPECT_STREQ(error.what(),
                 "method snapkv: a budget of 4 tokens is below the 9 it needs (of a prompt of 40)");
  }
}

TEST_F(EngineTest, APromptLongerThanTheModelIsRefusedWithTheNumbers) {
  const std::vector<Variant> variants{{&full_, nullptr, Visibility::aware}};
  try {
    engine().run("task", sample("long", 400), variants);
    FAIL();
  } catch (const Error& error) {
    EXPECT_EQ(error.kind(), Kind::input);
    EXPECT_NE(std::string(error.what()).find("the model takes 1024"), std::string::npos)
        << error.what();
  }
}

TEST_F(EngineTest, ACompressedPromptKeepsItsOriginalPositions) {
  const auto prefilled = prefill(model_, ids(40), window(8));
  const ProfileFacts facts;
  Compressor compressor(model_, prefilled, facts, 0);
  const auto compression = compressor.compress(snapkv_, 16, 4);
  EXPECT_EQ(compression.cache.next_position(), 40);
  EXPECT_EQ(compression.cache.layer(0).prefix.total_kept(), 16 * config_.kv_heads);
}

}  // namespace
}  // namespace kvcal
