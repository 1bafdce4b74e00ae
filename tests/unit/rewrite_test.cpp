// SPDX-License-Identifier: Apache-2.0
#include "engine/rewrite.hpp"

#include <ATen/ATen.h>
#include <gtest/gtest.h>

#include <fstream>

#include "kvcal/compress/error.hpp"
#include "support/error_text.hpp"
#include "support/paths.hpp"
#include "support/tiny_model_fixture.hpp"

namespace kvcal {
namespace {

class RewriteTest : public test::TinyModelFixture {
 protected:
  const Method summary_ = load_method("summary");
};

TEST_F(RewriteTest, WhatIsReadIsTheModelsOwnAnswer) {
  const std::vector<int64_t> ids{5, 12, 19, 26, 33, 40};
  const auto prompt = prefill(model_, ids, Needs{});
  Method plain = summary_;
  plain.rewrite_request = "Sum up.";
  const auto answer = ask(reader_, false, plain.rewrite_request, 4, prompt, nullptr).answer;
  ASSERT_FALSE(answer.empty());
  const auto cache = rewrite(reader_, false, plain, 4, prompt);
  const auto read = prefill(model_, answer, Needs{}).cache.sealed(0);
  EXPECT_TRUE(at::equal(cache.layer(1).prefix.keys, read.layer(1).prefix.keys));
  EXPECT_EQ(cache.next_position(), static_cast<int64_t>(answer.size()));
}

TEST_F(RewriteTest, TheRequestTellsHowManyWordsFit) {
  const auto prompt = prefill(model_, std::vector<int64_t>{5, 12, 19, 26, 33, 40}, Needs{});
  Method told = summary_, spelled = summary_;
  told.rewrite_request = "At most {words} words.", spelled.rewrite_request = "At most 6 words.";
  const auto a = rewrite(reader_, false, told, 8, prompt);
  const auto b = rewrite(reader_, false, spelled, 8, prompt);
  EXPECT_TRUE(at::equal(a.layer(0).prefix.keys, b.layer(0).prefix.keys));
}

TEST_F(RewriteTest, IsAVariantOfASweepThatKeepsNoMoreThanItsBudget) {
  Sample sample;
  sample.id = "a";
  sample.context = boats(12);
  sample.question = "Which boat left?";
  sample.references = {"boat"};
  sample.metric = "qa_f1_score";
  sample.max_new_tokens = 6;
  const auto full = load_method("full");
  const auto budget = Budget::parse("20");
  const std::vector<Variant> variants{{&full, nullptr, Visibility::multi},
                                      {&summary_, &budget, Visibility::multi}};
  Engine engine(model_, tokenizer_, chat_, {}, {.seed = 7});
  const auto records = engine.run("task", sample, variants);
  const auto& config = model_.config();
  EXPECT_LE(records[1].kept_entries, 20 * config.layers * config.kv_heads);
  EXPECT_GT(records[1].kept_entries, 0);
  EXPECT_FALSE(records[1].is_exact);
  EXPECT_GT(records[1].kl, 0);
  const std::vector<Variant> aware{{&summary_, &budget, Visibility::aware}};
  const auto text = test::error_text(Kind::config, [&] { engine.run("task", sample, aware); });
  EXPECT_NE(text.find("method summary: what it makes of a document"), std::string::npos) << text;
}

TEST_F(RewriteTest, ATextThatIsReplacedIsNotCut) {
  const auto file = test::scratch_dir() / "cut_summary.yaml";
  std::ofstream(file) << "name: cut_summary\nsummary: s\nscorer: knorm\nallocator: uniform\n"
                         "rewrite: Sum up.\n";
  const auto text = test::error_text(Kind::config, [&] { load_method(file.string()); });
  EXPECT_NE(text.find("rewrite and a scorer, need one of them"), std::string::npos) << text;
}

}  // namespace
}  // namespace kvcal
