// SPDX-License-Identifier: Apache-2.0
#include <gtest/gtest.h>

#include <fstream>
#include <iterator>

#include "kvcal/profile/results.hpp"
#include "support/errors.hpp"
#include "support/files.hpp"
#include "support/paths.hpp"

namespace kvcal {
namespace {
namespace fs = std::filesystem;

using test::expect_error;

constexpr int64_t kSamples = 7;

Results whole_run() {
  Results results;
  results.model = {"tiny", "c0", "w0", "t0", 1, 2, 1, 8};
  results.provenance.dtype = "f32";
  results.provenance.resolved_config = "tasks: niah\nbudgets: 64\n";
  for (int64_t i = 0; i < kSamples; ++i) {
    SampleRecord r;
    r.task = i < 3 ? "niah" : "other", r.sample = std::to_string(i), r.method = "full";
    r.metric = "m", r.visibility = "aware", r.budget = "full";
    r.score = 1.0 / static_cast<double>(i + 1), r.kept_per_head = {1, 2};
    results.records.push_back(r);
  }
  return results;
}

Results part(int64_t index, int64_t count) {
  Results results = whole_run();
  results.shard = RunShard{index, count};
  const auto [begin, end] = results.shard->range(kSamples);
  results.records = {results.records.begin() + begin, results.records.begin() + end};
  results.provenance.resolved_config += results.shard->config_line();
  return results;
}

Results merge_named(const std::vector<Results>& shards) {
  std::vector<fs::path> files;
  for (size_t i = 0; i < shards.size(); ++i) files.push_back(fmt::format("{}.h5", i));
  return merge(shards, files);
}

using test::bytes_of;

TEST(RunShard, ReadsItsTextAndRefusesOthers) {
  EXPECT_EQ(RunShard::parse("2/8"), (RunShard{2, 8}));
  for (const char* text : {"0/8", "9/8", "2", "/8", "2/", "a/b", "2/8x", "-1/8", ""}) {
    expect_error(Kind::config, fmt::format("--shard {}: need I/N with I from 1 to N", text),
                 [&] { RunShard::parse(text); });
  }
}

TEST(RunShard, RangesAreContiguousAndCoverEverySampleOnce) {
  for (int64_t samples : {1, 5, 7, 100}) {
    for (int64_t count = 1; count <= std::min<int64_t>(samples, 9); ++count) {
      int64_t next = 0;
      for (int64_t index = 1; index <= count; ++index) {
        const auto [begin, end] = RunShard{index, count}.range(samples);
        EXPECT_EQ(begin, next);
        EXPECT_GT(end, begin);
        next = end;
      }
      EXPECT_EQ(next, samples);
    }
  }
  expect_error(Kind::config, "--shard 1/9: there are 7 prompts", [] {
    RunShard{1, 9}.range(kSamples);
  });
}

TEST(RunShard, MergedInAnyOrderShardsAreTheWholeRunByteForByte) {
  const fs::path folder = test::scratch_dir();
  whole_run().save(folder / "whole.h5");
  std::vector<Results> shards;
  for (int64_t index : {3, 1, 2}) {
    const auto file = folder / fmt::format("{}.h5", index);
    part(index, 3).save(file);
    shards.push_back(Results::load(file));
    EXPECT_EQ(shards.back().shard, (RunShard{index, 3}));
  }
  merge_named(shards).save(folder / "merged.h5");
  EXPECT_TRUE(bytes_of(folder / "merged.h5") == bytes_of(folder / "whole.h5"));
}

TEST(RunShard, AnIncompleteOrForeignSetIsRefused) {
  expect_error(Kind::input, "shards are missing: 1/4 3/4", [] {
    merge_named({part(2, 4), part(4, 4)});
  });
  expect_error(Kind::input, "1.h5: shard 2/3 is there already", [] {
    merge_named({part(2, 3), part(2, 3)});
  });
  expect_error(Kind::input, "1.h5: is shard 2/2, but 0.h5 is 1/3: not of one run", [] {
    merge_named({part(1, 3), part(2, 2)});
  });
  expect_error(Kind::input, "1.h5: is a whole run, need what kv-eval --shard wrote", [] {
    merge_named({part(1, 2), whole_run()});
  });
  Results other = part(2, 2);
  other.provenance.resolved_config = "tasks: niah\nbudgets: 32\nshard: 2/2\n";
  expect_error(Kind::input, "1.h5: the configuration = 'budgets: 32', but 0.h5 has 'budgets: 64'",
               [&] {
                 merge_named({part(1, 2), other});
               });
  other = part(2, 2);
  other.model.weights_sha256 = "w1";
  expect_error(Kind::input, "weights_sha256", [&] { merge_named({part(1, 2), other}); });
}

}  // namespace
}  // namespace kvcal
