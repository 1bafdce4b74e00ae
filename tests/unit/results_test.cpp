// SPDX-License-Identifier: Apache-2.0
#include <gtest/gtest.h>

#include <cmath>
#include <nlohmann/json.hpp>

#include "../../libprofile/store/hdf5.hpp"
#include "kvcal/compress/error.hpp"
#include "kvcal/profile/keep_dump.hpp"
#include "kvcal/profile/summary.hpp"
#include "support/paths.hpp"
#include "support/structure.hpp"

namespace kvcal {
namespace {
namespace fs = std::filesystem;

SampleRecord record(const std::string& method, const std::string& sample, double score) {
  SampleRecord r;
  r.task = "niah", r.sample = sample, r.method = method, r.visibility = "aware", r.mask = "none";
  r.metric = "niah_rouge1_recall", r.budget = method == "full" ? "full" : "64";
  r.prompt_tokens = 100, r.budget_tokens = 25, r.kept_entries = method == "full" ? 400 : 100;
  r.kept_bytes = r.kept_entries * 32, r.full_bytes = 12800, r.score = score;
  r.prediction = "a \xC3\xA9", r.references = {"x", "y"}, r.generated_tokens = 10;
  r.prefill_s = 0.5, r.decode_s = 2;
  r.kept_per_head.assign(4, static_cast<int32_t>(r.kept_entries / 4));
  return r;
}

/// 2 layers, 2 KV heads; three samples under the full cache and one method.
Results small_results() {
  Results results;
  results.model = {"tiny", "c0", "w0", "t0", 2, 4, 2, 8};
  results.provenance.tool = "kv-eval 0.1.0 (abc1234)";
  for (const auto& [sample, full, cut] :
       {std::tuple("a", 1.0, 0.5), std::tuple("b", 0.5, 0.5), std::tuple("c", 1.0, 1.0)}) {
    results.records.push_back(record("full", sample, full));
    results.records.push_back(record("snapkv", sample, cut));
  }
  return results;
}

TEST(Results, LoadGivesWhatSaveGot) {
  const fs::path file = test::scratch_dir() / "r.h5";
  Results before = small_results();
  before.records[1].references.clear();
  before.records[2].uncompressed = true;
  before.save(file);
  const Results after = Results::load(file);
  EXPECT_EQ(after.model, before.model);
  EXPECT_EQ(after.provenance, before.provenance);
  ASSERT_EQ(after.records.size(), 6u);
  EXPECT_EQ(after.records[0].references, (std::vector<std::string>{"x", "y"}));
  EXPECT_TRUE(after.records[1].references.empty());
  EXPECT_TRUE(after.records[2].uncompressed);
  EXPECT_EQ(after.records[3].prediction, "a \xC3\xA9");
  EXPECT_EQ(after.records[3].kept_per_head, (std::vector<int32_t>{25, 25, 25, 25}));
  EXPECT_EQ(after.records[5].score, 1.0);
  EXPECT_EQ(after.records[5].kept_entries, 100);
}

TEST(Results, TheirStructureIsTheDocumentedOne) {
  const fs::path file = test::scratch_dir() / "r.h5";
  small_results().save(file);
  test::expect_golden(test::structure_of(file), "results_structure.txt");
}

TEST(Results, NoRecordsAreResultsToo) {
  const fs::path file = test::scratch_dir() / "r.h5";
  Results none = small_results();
  none.records.clear();
  none.save(file);
  EXPECT_TRUE(Results::load(file).records.empty());
  EXPECT_TRUE(summarise(none, 0).empty());
}

TEST(Results, AMissingColumnIsNamed) {
  const fs::path file = test::scratch_dir() / "r.h5";
  {
    Hdf5Writer writer(file);
    writer.write<std::string>("/samples/task", {"a"}, {1});
    writer.finish();
  }
  try {
    read_records(Hdf5Reader(file));
    FAIL();
  } catch (const Error& error) {
    EXPECT_EQ(error.what(), file.string() + ": /samples/sample is missing");
  }
}

TEST(Results, AScoreThatIsNoNumberIsNotSaved) {
  Results results = small_results();
  results.records[1].score = std::nan("");
  try {
    results.save(test::scratch_dir() / "r.h5");
    FAIL();
  } catch (const Error& error) {
    EXPECT_EQ(error.kind(), Kind::numeric);
    EXPECT_STREQ(error.what(), "the score of sample 'a' of task 'niah', method 'snapkv', is nan");
  }
}

TEST(Results, CellsAreMeansPairedWithTheFullCache) {
  const auto cells = summarise(small_results(), 1);
  ASSERT_EQ(cells.size(), 2u);
  const Cell& full = cells[0];
  const Cell& cut = cells[1];
  EXPECT_EQ(full.method, "full");
  EXPECT_EQ(full.n, 3);
  EXPECT_NEAR(full.score, 2.5 / 3, 1e-12);
  EXPECT_NEAR(*full.relative_to_full, 1, 1e-12);
  EXPECT_EQ(full.budget_fraction, 1);
  EXPECT_EQ(cut.budget, "64");
  EXPECT_NEAR(cut.score, 2.0 / 3, 1e-12);
  EXPECT_NEAR(*cut.relative_to_full, 0.8, 1e-12);
  EXPECT_NEAR(*cut.paired_delta, -0.5 / 3, 1e-12);
  EXPECT_EQ(*cut.paired_ci_low, -0.5);
  EXPECT_EQ(*cut.paired_ci_high, 0);
  EXPECT_EQ(cut.budget_fraction, 0.25);
  EXPECT_EQ(cut.kept_bytes, 3200);
  EXPECT_EQ(cut.full_bytes, 12800);
  EXPECT_EQ(cut.decode_tokens_per_s, 5);
  EXPECT_LE(cut.ci_low, cut.score);
  EXPECT_GE(cut.ci_high, cut.score);
}

TEST(Results, UncompressedSamplesAreCountedApart) {
  Results results = small_results();
  results.records[1].uncompressed = true;  // snapkv on "a"
  const Cell cell = summarise(results, 1)[1];
  EXPECT_EQ(cell.n, 2);
  EXPECT_EQ(cell.uncompressed, 1);
  EXPECT_EQ(cell.score, 0.75);
  EXPECT_EQ(*cell.paired_delta, 0) << "compared with the full cache on b and c only";
  for (auto& r : results.records) r.uncompressed = true;
  const auto cells = summarise(results, 1);
  EXPECT_EQ(cells[0].n, 3) << "the full cache never compresses";
  EXPECT_EQ(cells[1].n, 0);
  EXPECT_TRUE(std::isnan(cells[1].score));
}

TEST(Results, SamplesOfOneDocumentAreOneCluster) {
  Results results = small_results();
  for (auto& r : results.records) r.document = "book";
  EXPECT_TRUE(std::isnan(summarise(results, 1)[1].ci_low)) << "one cluster has no spread";
}

TEST(Results, TheIntervalOfKlIsOverDocumentsOrOverTheQuestionsOfTheOnlyOne) {
  Results results = small_results();
  const double kl[] = {0.2, 0.4, 0.9};  // of samples a, b, c
  for (size_t i = 0; i < 3; ++i) {
    results.records[2 * i + 1].kl = kl[i];
    for (size_t variant : {0, 1}) results.records[2 * i + variant].document = "book";
  }
  Cell cell = summarise(results, 1)[1];
  EXPECT_NEAR(*cell.kl, 0.5, 1e-12);
  EXPECT_NEAR(*cell.kl_ci_low, 0.2, 1e-12);  // three times sample a
  EXPECT_NEAR(*cell.kl_ci_high, 0.9, 1e-12);
  for (size_t variant : {4, 5}) results.records[variant].document = "another book";
  cell = summarise(results, 1)[1];
  EXPECT_NEAR(*cell.kl_ci_low, 0.3, 1e-12);  // twice the book of a and b
  EXPECT_NEAR(*cell.kl_ci_high, 0.9, 1e-12);
}

TEST(Results, WithoutAFullCacheNothingIsPaired) {
  Results results = small_results();
  std::erase_if(results.records, [](const auto& r) { return r.method == "full"; });
  const Cell cell = summarise(results, 1).at(0);
  EXPECT_FALSE(cell.relative_to_full || cell.paired_delta || cell.paired_ci_low);
}

TEST(Results, CellsSayWhoWonAndHowSurely) {
  Results results = small_results();
  for (int i = 0; i < 10; ++i) {
    const std::string sample = "more " + std::to_string(i);
    results.records.push_back(record("full", sample, 1));
    results.records.push_back(record("snapkv", sample, 0.25));
    results.records.push_back(record("random", sample, 0));
  }
  const auto cells = summarise(results, 1);
  ASSERT_EQ(cells.size(), 3u);
  const Cell& cut = cells[1];
  EXPECT_EQ(cut.wins, 0);
  EXPECT_EQ(cut.ties, 2);
  EXPECT_EQ(cut.losses, 11);
  EXPECT_FALSE(cells[0].p_value) << "the full cache is not compared with itself";
  EXPECT_LT(*cut.p_value, 0.001);
  EXPECT_GE(*cut.p_holm, *cut.p_value);
  EXPECT_LE(*cut.p_holm, 2 * *cut.p_value) << "two comparisons";
  EXPECT_EQ(*cut.random_delta, 0.25) << "on the ten samples that both have";
  EXPECT_FALSE(cells[2].random_delta);
  EXPECT_LT(*cut.relative_ci_low, *cut.relative_to_full);
  EXPECT_GT(*cut.relative_ci_high, *cut.relative_to_full);
}

TEST(Results, ScoresThatCannotTellVariantsApartAreFlagged) {
  Results results = small_results();
  EXPECT_EQ(summarise(results, 1)[1].limit, "");
  for (auto& r : results.records) r.score = r.method == "full" ? 0.02 : 0.5;
  EXPECT_EQ(summarise(results, 1)[1].limit, kFloor);
  for (auto& r : results.records) r.score = r.method == "full" ? 1 : 0.96;
  EXPECT_EQ(summarise(results, 1)[1].limit, kCeiling);
  EXPECT_EQ(summarise(results, 1)[0].limit, kCeiling) << "the cells of a task together";
  std::erase_if(results.records, [](const auto& r) { return r.method != "full"; });
  EXPECT_EQ(summarise(results, 1)[0].limit, "") << "nothing is compared";
}

TEST(Results, LatencyIsKept) {
  const fs::path file = test::scratch_dir() / "r.h5";
  Results before = small_results();
  before.latency.resize(2);
  before.latency[1].method = "snapkv", before.latency[1].ttft_s = 0.5;
  before.save(file);
  const Results after = Results::load(file);
  ASSERT_EQ(after.latency.size(), 2u);
  EXPECT_EQ(after.latency[1].method, "snapkv");
  EXPECT_EQ(after.latency[1].ttft_s, 0.5);
  EXPECT_TRUE(std::isnan(after.latency[0].peak_bytes));
  const auto json = nlohmann::json::parse(to_json(after, {}));
  EXPECT_EQ(json["latency"][1]["method"], "snapkv");
  EXPECT_TRUE(json["latency"][0]["peak_bytes"].is_null());
}

TEST(Results, JsonHasEveryFieldAndNullWhereNothingWasMeasured) {
  const Results results = small_results();
  const auto json = nlohmann::json::parse(to_json(results, summarise_all(results, 1)));
  EXPECT_EQ(json["format"], "kvcal.results/1");
  EXPECT_EQ(json["provenance"]["tool"], "kv-eval 0.1.0 (abc1234)");
  EXPECT_EQ(json["model"]["layers"], 2);
  const auto& cell = json["cells"][1];
  for (const char* name : {"task",         "method",         "visibility",
                           "mask",         "budget_tokens",  "budget_fraction",
                           "kept_bytes",   "full_bytes",     "n",
                           "uncompressed", "metric",         "score",
                           "ci_low",       "ci_high",        "relative_to_full",
                           "paired_delta", "paired_ci_low",  "paired_ci_high",
                           "kl",           "top1_agreement", "answer_nll",
                           "parsed",       "prefill_s",      "decode_tokens_per_s"}) {
    EXPECT_TRUE(cell.contains(name)) << name;
  }
  EXPECT_TRUE(cell["kl"].is_null() && cell["top1_agreement"].is_null());
  EXPECT_EQ(cell["n"], 3);
}

TEST(Results, TheShareOfRepliesThatWereParsedIsAMeanOverThoseThatCouldBe) {
  Results results = small_results();
  EXPECT_FALSE(summarise(results, 0).front().parsed.has_value());
  results.records[0].parsed = 1;
  results.records[2].parsed = 0;
  EXPECT_EQ(summarise(results, 0).front().parsed, 0.5);
}

TEST(KeepDump, AddsSamplesDirectlyAndFromShards) {
  const fs::path folder = test::scratch_dir();
  const KeepSet layer = {at::tensor({1, 5, 2}, at::kLong), at::tensor({0, 2, 3}, at::kLong)};
  const std::vector<KeepSet> layers = {layer, layer};
  {
    Hdf5Writer shard(folder / "0.h5");
    write_keep_sets(shard, "/keep", {"niah", "b", "snapkv", "3%", "aware"}, layers);
    shard.finish();
  }
  KeepDump dump(folder / "keep.h5");
  dump.add({"niah", "a/1", "snapkv", "64", "aware"}, layers);
  dump.add({"niah", "a/1", "snapkv", "64", "agnostic"}, layers);
  EXPECT_THROW(dump.add({"niah", "a/1", "snapkv", "64", "aware"}, layers), Error);
  dump.add_from(Hdf5Reader(folder / "0.h5"), "/keep");
  dump.add_from(Hdf5Reader(folder / "0.h5"), "/none");
  EXPECT_FALSE(fs::exists(folder / "keep.h5"));
  dump.finish();
  const Hdf5Reader reader(folder / "keep.h5");
  EXPECT_EQ(reader.read<int32_t>("/niah/a%2F1/snapkv@64/layer_1/indices", {3}),
            (std::vector<int32_t>{1, 5, 2}));
  EXPECT_EQ(reader.read<int64_t>("/niah/b/snapkv@3%/layer_0/offsets", {3}),
            (std::vector<int64_t>{0, 2, 3}));
  EXPECT_TRUE(reader.is_group("/niah/a%2F1/snapkv@64@agnostic"));
  test::expect_golden(test::structure_of(folder / "keep.h5"), "keep_dump_structure.txt");
}

}  // namespace
}  // namespace kvcal
