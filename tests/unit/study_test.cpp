// SPDX-License-Identifier: Apache-2.0
// Self-study on a tiny random model: what is asked, and which queries are drawn.
#include "engine/study.hpp"

#include <ATen/ATen.h>
#include <gtest/gtest.h>

#include <fstream>

#include "support/error_text.hpp"
#include "support/paths.hpp"
#include "support/tiny_model_fixture.hpp"

namespace kvcal {
namespace {

TEST(Study, QuestionsAreTheLinesWithoutTheirNumbers) {
  const std::vector<std::string> expected{"Who came?", "When did they go?"};
  EXPECT_EQ(split_questions("1. Who came?\n\n 2) When did they go?\n3. Why?", 2), expected);
  EXPECT_EQ(split_questions("- Who came?\n- When did they go?", 5), expected);
  EXPECT_TRUE(split_questions("\n 1. \n", 3).empty());
}

class StudyTest : public test::TinyModelFixture {
 protected:
  Prefilled prompt(int64_t tokens) const {
    std::vector<int64_t> ids;
    for (int64_t i = 0; i < tokens; ++i) ids.push_back(5 + i * 7 % 300);
    return prefill(model_, ids, Needs());
  }
  Prefilled studied(int64_t tokens, int64_t queries, const StudyPlan& plan) const {
    Needs needs;
    needs.study_queries = queries;
    auto prompt_of = prompt(tokens);
    study(model_, tokenizer_, chat_, plan, /*is_chat=*/false, needs, prompt_of);
    return prompt_of;
  }
};

TEST_F(StudyTest, DrawsFromRequestsAndAnswers) {
  const StudyPlan plan{{"Sum up.", "List facts."}, "", 0, 6};
  const auto all = studied(30, 1000, plan);
  size_t asked = 0;
  for (const auto& request : plan.requests) {
    asked += tokenizer_.encode("\n\n" + request + "\n", false).size();
  }
  const auto& drawn = all.statistics[1].study_queries;
  ASSERT_TRUE(drawn.queries.defined());
  EXPECT_GT(drawn.positions.size(), asked) << "no query of an answer";
  EXPECT_LE(drawn.positions.size(), asked + 2 * 5) << "the last token of an answer is not fed";
  EXPECT_EQ(studied(30, 7, plan).statistics[1].study_queries.positions.size(), 7u);
}

TEST_F(StudyTest, IsTheSameEachTimeAndLeavesThePromptAlone) {
  const StudyPlan plan{{"Sum up."}, "Ask.", 2, 8};
  const auto once = studied(30, 50, plan), again = studied(30, 50, plan);
  EXPECT_TRUE(at::equal(once.statistics[0].study_queries.queries,
                        again.statistics[0].study_queries.queries));
  EXPECT_EQ(once.cache.tail_tokens(), 30);
}

TEST_F(StudyTest, APromptThatFillsTheModelIsRefused) {
  const StudyPlan plan{{"Sum up."}, "", 0, 8};
  const auto text = test::error_text(Kind::input, [&] { studied(1010, 10, plan); });
  EXPECT_NE(text.find("to ask about a prompt of 1010 tokens takes"), std::string::npos) << text;
}

TEST_F(StudyTest, ThePlanOfTheProjectLoadsAndABadOneIsRefused) {
  const auto plan = StudyPlan::load(test::source_dir() / "configs/study/default.yaml");
  EXPECT_EQ(plan.requests.size(), 3u);
  EXPECT_EQ(plan.most_questions, 3);
  const auto file = test::scratch_dir() / "study.yaml";
  std::ofstream(file) << "name: a\nrequests: {one: Say more.}\nanswer_tokens: some\n";
  EXPECT_EQ(test::error_text(Kind::config, [&] { StudyPlan::load(file); }),
            file.string() + ":3: answer_tokens = some, need a whole number >= 1");
}

}  // namespace
}  // namespace kvcal
