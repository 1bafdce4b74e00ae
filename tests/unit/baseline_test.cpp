// SPDX-License-Identifier: Apache-2.0
#include "kvcal/profile/baseline.hpp"

#include <gtest/gtest.h>

#include "support/errors.hpp"

namespace kvcal {
namespace {

using test::expect_error;

Results results_of(double full, const std::vector<double>& scores) {
  Results results;
  results.model = {"tiny", "c", "w", "t", 1, 2, 1, 8};
  results.provenance.dtype = "f32";
  for (size_t i = 0; i < scores.size(); ++i) {
    SampleRecord r;
    r.task = "niah", r.metric = "m", r.visibility = "aware", r.method = "full";
    r.budget = "full", r.sample = std::to_string(i), r.prompt_sha256 = "0123456789abcdef";
    r.score = full, r.answer_nll = 1;
    results.records.push_back(r);
    r.method = "snapkv", r.budget = "64", r.score = scores[i];
    results.records.push_back(r);
  }
  return results;
}

const std::vector<double> kGood(12, 0.9), kWorse(12, 0.7);

TEST(Baseline, ASignificantFallIsARegression) {
  const auto report = compare_with_baseline(results_of(1, kWorse), results_of(1, kGood), 0);
  ASSERT_EQ(report.rows.size(), 2u);
  EXPECT_EQ(report.rows[0].verdict, "same");
  EXPECT_EQ(report.rows[1].verdict, "regressed");
  EXPECT_NEAR(report.rows[1].delta, -0.2, 1e-12);
  EXPECT_TRUE(report.has_regressed());
  const auto back = compare_with_baseline(results_of(1, kGood), results_of(1, kWorse), 0);
  EXPECT_EQ(back.rows[1].verdict, "improved");
  EXPECT_FALSE(back.has_regressed());
}

TEST(Baseline, AFallWithinChanceIsNone) {
  std::vector<double> mixed = kGood;
  mixed[0] = 0, mixed[1] = 1, mixed[2] = 1;
  const auto report = compare_with_baseline(results_of(1, mixed), results_of(1, kGood), 0);
  EXPECT_LT(report.rows[1].delta, 0);
  EXPECT_EQ(report.rows[1].verdict, "same");
}

TEST(Baseline, ManyCellsNeedStrongerEvidence) {
  // Six samples reach p = 2^-5 = 0.031, enough for one cell and not for two.
  Results now = results_of(1, std::vector<double>(6, 0.7));
  Results before = results_of(1, std::vector<double>(6, 0.9));
  EXPECT_FALSE(compare_with_baseline(now, before, 0).has_regressed());
  std::erase_if(now.records, [](const auto& r) { return r.method == "full"; });
  EXPECT_TRUE(compare_with_baseline(now, before, 0).has_regressed());
}

TEST(Baseline, TheFullCacheDriftsByAbsoluteDifferences) {
  Results now = results_of(1, kGood);
  const Results before = results_of(1, kGood);
  EXPECT_EQ(compare_with_baseline(now, before, 0).drift.score, 0);
  EXPECT_FALSE(compare_with_baseline(now, before, 0).drift.is_too_far());
  // One up, one down: the mean is the same.
  now.records[0].score += 0.15, now.records[2].score -= 0.15;
  const auto drift = compare_with_baseline(now, before, 0).drift;
  EXPECT_EQ(drift.n, 12);
  EXPECT_NEAR(drift.score, 0.3 / 12, 1e-12);
  EXPECT_TRUE(drift.is_too_far());
}

TEST(Baseline, TheLikelihoodShowsADriftThatScoresHide) {
  Results now = results_of(1, kGood);
  for (auto& r : now.records) r.answer_nll += 0.05;
  EXPECT_TRUE(compare_with_baseline(now, results_of(1, kGood), 0).drift.is_too_far());
  for (auto& r : now.records) r.answer_nll = std::numeric_limits<double>::quiet_NaN();
  const auto drift = compare_with_baseline(now, results_of(1, kGood), 0).drift;
  EXPECT_TRUE(std::isnan(drift.answer_nll));
  EXPECT_FALSE(drift.is_too_far());
}

TEST(Baseline, ADriftIsCertainWhenTheRestCannotMendIt) {
  const Results before = results_of(1, kGood);  // 12 prompts
  Results so_far = results_of(1, {0.9});
  EXPECT_FALSE(is_drift_certain(so_far, before));
  so_far.records[0].score = 0.8;  // 0.2 / 12 = 0.017
  EXPECT_FALSE(is_drift_certain(so_far, before));
  EXPECT_TRUE(compare_with_baseline(so_far, before, 0).drift.is_too_far());
  so_far.records[0].score = 0.7;  // 0.3 / 12 = 0.025
  EXPECT_TRUE(is_drift_certain(so_far, before));
  EXPECT_FALSE(is_drift_certain({}, before));
}

TEST(Baseline, CellsOfOneSideAreCounted) {
  Results now = results_of(1, kGood), before = results_of(1, kGood);
  for (auto& r : now.records) {
    if (r.method == "snapkv") r.budget = "32";
  }
  const auto report = compare_with_baseline(now, before, 0);
  EXPECT_EQ(report.rows.size(), 1u);
  EXPECT_EQ(report.absent_now, 1);
  EXPECT_EQ(report.absent_before, 1);
}

TEST(Baseline, WhatCannotBeComparedIsRefused) {
  const Results before = results_of(1, kGood);
  std::vector<PromptId> prompts = {{"niah", "0", "0123456789abcdef"}, {"niah", "x", "ff"}};
  require_comparable(before, before.model, prompts, "ref.h5");
  prompts[0].sha256 = "fedcba9876543210";
  expect_error(Kind::input,
               "ref.h5: the prompt of task niah, sample 0, was another one (sha256 0123456789ab, "
               "now fedcba987654)",
               [&] { require_comparable(before, before.model, prompts, "ref.h5"); });
  prompts.erase(prompts.begin());
  expect_error(Kind::input, "ref.h5: has no prompt in common with this run",
               [&] { require_comparable(before, before.model, prompts, "ref.h5"); });
  ModelIdentity other = before.model;
  other.weights_sha256 = "v";
  expect_error(Kind::input, "weights_sha256",
               [&] { require_comparable(before, other, prompts, "ref.h5"); });
  expect_error(Kind::input, "ref.h5: was made with dtype f32, this run has bf16",
               [&] { require_same_dtype(before, "bf16", "ref.h5"); });
}

}  // namespace
}  // namespace kvcal
