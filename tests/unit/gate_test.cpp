// SPDX-License-Identifier: Apache-2.0
#include "kvcal/profile/gate.hpp"

#include <gtest/gtest.h>

#include "support/error_text.hpp"

namespace kvcal {
namespace {

using test::error_text;

/// Samples a, b, c, ... of one task; a variant has one score for each.
void add(Results& results, const std::string& method, const std::string& budget,
         const std::vector<double>& scores, const std::string& visibility = "aware") {
  for (size_t i = 0; i < scores.size(); ++i) {
    SampleRecord r;
    r.task = "niah", r.metric = "m", r.visibility = visibility, r.method = method;
    r.budget = budget, r.sample = std::string(1, static_cast<char>('a' + i));
    r.score = scores[i], r.kl = scores[i] / 10;
    results.records.push_back(r);
  }
}

std::string verdict_of(const Results& results, const std::string& gate) {
  return decide(parse_gate(gate), results, 0).at(0).verdict;
}

TEST(GateText, AVariantAgainstAFactorOfTheFullCache) {
  const Gate gate = parse_gate("compresskv@3% >= 0.97*full");
  EXPECT_EQ(gate.variant, "compresskv@3%");
  EXPECT_EQ(gate.relation, Gate::Relation::at_least);
  EXPECT_EQ(gate.other, "full");
  EXPECT_EQ(gate.factor, 0.97);
  EXPECT_EQ(gate.offset, 0);
  EXPECT_EQ(gate.field, "score");
  EXPECT_TRUE(gate.task.empty());
}

TEST(GateText, EveryPartOfTheGrammar) {
  EXPECT_EQ(parse_gate("compresskv@128 > snapkv@128").other, "snapkv@128");
  EXPECT_EQ(parse_gate("a>=0.8").offset, 0.8);
  EXPECT_FALSE(parse_gate("a >= 0.8").other);
  const Gate task = parse_gate("a@8MiB:jsonl:my/x-1.jsonl < 1.5e0 * b@64+0.25");
  EXPECT_EQ(task.variant, "a@8MiB");
  EXPECT_EQ(task.task, "jsonl:my/x-1.jsonl");
  EXPECT_EQ(task.relation, Gate::Relation::below);
  EXPECT_EQ(task.factor, 1.5);
  EXPECT_EQ(task.other, "b@64");
  EXPECT_EQ(task.offset, 0.25);
  const Gate field = parse_gate("kl(a@3%:niah) <= kl(b@3%) - 0.1");
  EXPECT_EQ(field.field, "kl");
  EXPECT_EQ(field.value, &SampleRecord::kl);
  EXPECT_EQ(field.task, "niah");
  EXPECT_EQ(field.offset, -0.1);
  EXPECT_EQ(parse_gate("my-method.v2@64 > full - 0.02").variant, "my-method.v2@64");
  EXPECT_EQ(parse_gate("a > -0.5").offset, -0.5);
}

TEST(GateText, AMistakeIsToldWithItsColumn) {
  const auto message = [](std::string_view text) {
    return error_text(Kind::config, [&] { parse_gate(text); });
  };
  EXPECT_EQ(message("a@64"), "gate 'a@64', column 5: nothing more, need one of >=, >, <=, <");
  EXPECT_EQ(message("a@64 = 1"), "gate 'a@64 = 1', column 6: '= 1', need one of >=, >, <=, <");
  EXPECT_EQ(message("a >= "), "gate 'a >= ', column 6: nothing more, need a method");
  EXPECT_EQ(message(""), "gate '', column 1: nothing more, need a method");
  EXPECT_EQ(message("a@x > 1"),
            "gate 'a@x > 1', column 3: 'x > 1', need a budget: 128, 3% or 8MiB");
  EXPECT_EQ(message("speed(a) > 1"),
            "gate 'speed(a) > 1', column 1: 'speed(a) > 1', need one of score, kl, top1_agreement, "
            "answer_nll, full_answer_nll");
  EXPECT_EQ(message("kl(a > 1"), "gate 'kl(a > 1', column 6: '> 1', need ')'");
  EXPECT_EQ(message("kl(a) > b"),
            "gate 'kl(a) > b', column 9: 'b', need kl(...) as on the left "
            "side");
  EXPECT_EQ(
      message("a > b:t"),
      "gate 'a > b:t', column 5: 'b:t', need a variant without a task: it stands on the left");
  EXPECT_EQ(message("a > b + c"), "gate 'a > b + c', column 9: 'c', need a number, not negative");
  EXPECT_EQ(message("a > 1 2"), "gate 'a > 1 2', column 7: '2', need the end");
  EXPECT_EQ(message("a > 1e999"), "gate 'a > 1e999', column 5: '1e999', need a number");
}

TEST(GateText, WhatIsNotRunIsRefused) {
  const std::vector<std::string> variants = {"full", "snapkv@64"}, tasks = {"niah"};
  require_runs(parse_gate("snapkv@64:niah > 0.9*full"), variants, tasks);
  EXPECT_EQ(error_text(Kind::config,
                       [&] { require_runs(parse_gate("snapkv@46 > 0.5"), variants, tasks); }),
            "gate 'snapkv@46 > 0.5': variant 'snapkv@46' is not run, did you mean 'snapkv@64'? "
            "(run are: full, snapkv@64)");
  error_text(Kind::config, [&] { require_runs(parse_gate("full > h2o@64"), variants, tasks); });
  error_text(Kind::config, [&] { require_runs(parse_gate("full:needle > 1"), variants, tasks); });
}

TEST(GateVerdict, IsDecidedOnTheInterval) {
  Results results;
  add(results, "full", "full", std::vector<double>(8, 1.0));
  add(results, "good", "64", std::vector<double>(8, 0.98));
  add(results, "bad", "64", std::vector<double>(8, 0.9));
  add(results, "mixed", "64", {1, 1, 1, 1, 1, 1, 1, 0.7});
  EXPECT_EQ(verdict_of(results, "good@64 >= 0.97*full"), "passed");
  EXPECT_EQ(verdict_of(results, "bad@64 >= 0.97*full"), "failed");
  EXPECT_EQ(verdict_of(results, "mixed@64 >= 0.97*full"), "undecided") << "its mean is 0.9625";
  EXPECT_EQ(verdict_of(results, "mixed@64 >= 0.97*full - 0.3"), "passed");
  EXPECT_EQ(verdict_of(results, "bad@64 < good@64"), "passed");
  EXPECT_EQ(verdict_of(results, "good@64 <= bad@64"), "failed");
  EXPECT_EQ(verdict_of(results, "kl(bad@64) <= 0.095"), "passed");
  EXPECT_EQ(verdict_of(results, "kl(good@64) <= 0.095"), "failed");
}

TEST(GateVerdict, EqualityMeetsAtLeastAndAtMostOnly) {
  Results results;
  add(results, "full", "full", {0.1, 0.2, 0.3, 0.4, 0.5, 0.6});
  add(results, "same", "64", {0.1, 0.2, 0.3, 0.4, 0.5, 0.6});
  EXPECT_EQ(verdict_of(results, "same@64 >= full"), "passed");
  EXPECT_EQ(verdict_of(results, "same@64 <= full"), "passed");
  EXPECT_EQ(verdict_of(results, "same@64 > full"), "failed");
  EXPECT_EQ(verdict_of(results, "same@64 < full"), "failed");
}

TEST(GateVerdict, TooFewSamplesDecideNothing) {
  Results results;
  add(results, "full", "full", std::vector<double>(5, 1.0));
  const auto verdict = decide(parse_gate("full >= 0.5"), results, 0).at(0);
  EXPECT_EQ(verdict.verdict, "undecided");
  EXPECT_EQ(verdict.reason, "5 independent samples, need 6");
  EXPECT_FALSE(verdict.is_passed());
  for (auto& r : results.records) r.task = "other";
  EXPECT_EQ(decide(parse_gate("full:niah >= 0.5"), results, 0).at(0).reason,
            "no sample has both sides");
}

TEST(GateVerdict, EveryTaskAndVisibilityIsHeldToIt) {
  Results results;
  add(results, "full", "full", std::vector<double>(6, 1.0), "aware");
  add(results, "full", "full", std::vector<double>(6, 0.4), "agnostic");
  const auto verdicts = decide(parse_gate("full >= 0.5"), results, 0);
  ASSERT_EQ(verdicts.size(), 2u);
  EXPECT_EQ(verdicts[0].visibility, "agnostic");
  EXPECT_FALSE(verdicts[0].is_passed());
  EXPECT_TRUE(verdicts[1].is_passed());
  EXPECT_NEAR(verdicts[0].margin, -0.1, 1e-12);
}

}  // namespace
}  // namespace kvcal
