// SPDX-License-Identifier: Apache-2.0
#include "report/report_data.hpp"

#include <gtest/gtest.h>

#include "support/errors.hpp"
#include "support/paths.hpp"
#include "support/report_case.hpp"

namespace kvcal::report {
namespace {

namespace fs = std::filesystem;

const std::vector<fs::path> kFiles = {"a.h5", "b.h5"};

Results results_of(const std::string& method) {
  test::ReportNames names;
  names.method = method;
  return test::report_results(names);
}

Results merged(const Results& a, const Results& b) {
  return merge_results(std::vector{a, b}, kFiles);
}

std::string refusal(const Results& a, const Results& b) {
  return test::error_of(Kind::input, [&] { merged(a, b); });
}

TEST(MergeResults, WhatBothRanCountsOnce) {
  const Results both = merged(results_of("snapkv"), results_of("tova"));
  EXPECT_EQ(both.records.size(), 32u)
      << "4 samples x (full, masked, 2 random, 2 + 2 of the methods)";
  for (const auto& cell : summarise(both, 0)) EXPECT_EQ(cell.n, 4) << variant_name(cell);
}

TEST(MergeResults, AnotherModelIsRefusedByTheFieldThatDiffers) {
  Results other = results_of("tova");
  other.model.weights_sha256 = "beef";
  EXPECT_EQ(
      refusal(results_of("snapkv"), other),
      "b.h5: made for another model ('tiny'): weights_sha256 = beef, but the model 'tiny' has "
      "0123456789abcdef");
  other = results_of("tova");
  other.provenance.dtype = "bf16";
  EXPECT_EQ(refusal(results_of("snapkv"), other),
            "b.h5: computed in bf16, but a.h5 in f32; compare runs of one dtype");
}

TEST(MergeResults, AnswersThatDisagreeAreRefused) {
  Results other = results_of("tova");
  other.records.front().score = 0.5;
  EXPECT_EQ(
      refusal(results_of("snapkv"), other),
      "a.h5 and b.h5 disagree on task 'niah', sample 'needle0', full (aware): scores 1 and 0.5; "
      "compare runs of one build and configuration");
}

TEST(MergeResults, OtherPromptsAreOtherSamples) {
  Results first = results_of("snapkv"), other = results_of("tova");
  for (auto& record : first.records) record.prompt_sha256 = "a";
  EXPECT_EQ(merged(first, other).records.size(), 32u) << "older files do not know";
  for (auto& record : other.records) record.prompt_sha256 = "b";
  EXPECT_EQ(
      refusal(first, other),
      "a.h5 and b.h5 gave the model different prompts for task 'niah', sample 'needle0'; compare "
      "runs of one data set and configuration");
}

TEST(MergeResults, OtherSamplesAreNoPairs) {
  Results other = results_of("tova");
  std::erase_if(other.records, [](const auto& r) { return r.sample == "needle3"; });
  EXPECT_EQ(
      refusal(results_of("snapkv"), other),
      "task 'niah': full of a.h5 ran on 4 samples and tova@25% of b.h5 on 3, not the same ones; "
      "a comparison needs the same samples (make a report of each)");
  for (auto& record : other.records) record.task = "another";
  EXPECT_EQ(merged(results_of("snapkv"), other).records.size(), 24u + 18u) << "another task may";
}

TEST(Gather, NoSamplesAreAnInputError) {
  const fs::path file = test::scratch_dir() / "empty.h5";
  Results none = results_of("snapkv");
  none.records.clear();
  none.save(file);
  EXPECT_EQ(test::error_of(Kind::input, [&] { gather(std::vector{file}, ""); }),
            file.string() + ": holds no samples, nothing to report");
}

TEST(Gather, AProfileOfAnotherModelIsRefused) {
  const fs::path folder = test::scratch_dir();
  results_of("snapkv").save(folder / "r.h5");
  Profile profile = test::report_profile();
  profile.model.heads = 8;
  profile.heads.clear();
  profile.save(folder / "p.h5");
  test::expect_error(Kind::input, "p.h5: made for another model ('tiny'): heads = 8",
                     [&] { gather(std::vector{folder / "r.h5"}, folder / "p.h5"); });
}

}  // namespace
}  // namespace kvcal::report
