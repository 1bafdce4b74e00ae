// SPDX-License-Identifier: Apache-2.0
#include "kvcal/profile/exchange.hpp"

#include <gtest/gtest.h>

#include <fstream>
#include <numeric>

#include "support/errors.hpp"
#include "support/paths.hpp"

namespace kvcal {
namespace {
namespace fs = std::filesystem;
using test::error_of;

/// 2 layers, 4 heads on 2 KV heads.
Profile empty_profile() {
  Profile profile;
  profile.model = {"tiny", "c0", "w0", "t0", 2, 4, 2, 8};
  return profile;
}

fs::path file_of(const std::string& text, const std::string& name = "f") {
  const fs::path file = test::scratch_dir() / name;
  std::ofstream(file, std::ios::binary) << text;
  return file;
}

Profile imported(const char* format, const std::string& text, const std::string& kind = "") {
  Profile profile = empty_profile();
  import_file(find_exchange(format), file_of(text), kind, profile);
  return profile;
}

/// The sentence behind the file's name.
std::string refusal(const char* format, const std::string& text) {
  const fs::path file = file_of(text);
  Profile profile = empty_profile();
  const std::string error =
      error_of(Kind::input, [&] { import_file(find_exchange(format), file, "", profile); });
  return error.starts_with(file.string()) ? error.substr(file.string().size() + 2) : error;
}

fs::path duo_folder(const std::string& table, const std::string& config) {
  const fs::path folder = test::scratch_dir();
  std::ofstream(folder / "full_attention_heads.tsv") << table;
  std::ofstream(folder / "config.json") << config;
  return folder;
}

constexpr const char* kDuoConfig = R"({"sink_size": 4, "recent_size": 8, "lr": 0.02})";

std::string duo_refusal(const std::string& table, const std::string& config) {
  const fs::path folder = duo_folder(table, config);
  Profile profile = empty_profile();
  const std::string error =
      error_of(Kind::input, [&] { import_file(find_exchange("duo"), folder, "", profile); });
  return error.substr(folder.string().size() + 1);
}

/// The file of np.save for f8.
std::string npy(const std::string& shape, const std::vector<double>& values) {
  std::string header = "{'descr': '<f8', 'fortran_order': False, 'shape': " + shape + ", }";
  header.resize(117, ' ');
  header += '\n';
  std::string bytes("\x93NUMPY\x01\x00\x76\x00", 10);
  return bytes + header +
         std::string(reinterpret_cast<const char*>(values.data()), values.size() * sizeof(double));
}

TEST(Exchange, RankingsBecomeScoresThatGiveTheSameRanking) {
  const auto profile = imported("compresskv_heads", R"({"0": [3, 1, 0, 2], "1": [0, 1, 2, 3]})");
  const auto& scores = profile.heads.at("semantic_ranking");
  EXPECT_EQ(scores.sum, (std::vector<double>{1, 2, 0, 3, 3, 2, 1, 0}));
  EXPECT_EQ(scores.count, 1);
  EXPECT_EQ(scores.ranking()[0], (std::vector<int64_t>{3, 1, 0, 2}));
  EXPECT_EQ(profile.facts().semantic_ranking->at(0), (std::vector<int64_t>{3, 1, 0, 2}));
  EXPECT_FALSE(profile.facts().head_scores.has_value());
}

TEST(Exchange, RankingsThatDoNotFitAreRefused) {
  const auto refuse = [](const char* text) { return refusal("compresskv_heads", text); };
  EXPECT_EQ(refuse(R"({"0": [3, 1, 0, 2]})"), "the key '1' is missing, need 0 .. 1");
  EXPECT_EQ(refuse(R"({"0": [3, 1, 0, 2], "1": [0, 1, 2, 3], "2": []})"),
            "key '2' is not of the profile's model, need 0 .. 1");
  EXPECT_EQ(refuse(R"({"0": [3, 1, 0], "1": [0, 1, 2, 3]})"),
            "0 has 3 heads, the profile's model has 4");
  EXPECT_EQ(refuse(R"({"0": [3, 1, 0, 4], "1": [0, 1, 2, 3]})"), "0[3] = 4, need a head 0 .. 3");
  EXPECT_EQ(refuse(R"({"0": [3, 1, 0, 1], "1": [0, 1, 2, 3]})"),
            "0[3] = 1, which stands before, need each head once");
  EXPECT_EQ(refuse(R"({"0": [3, 1, 0, 2.5], "1": [0, 1, 2, 3]})"),
            "0[3] is a number, need a head 0 .. 3");
  EXPECT_EQ(refuse("[]"), "a JSON array, need an object with the keys 0 .. 1");
  EXPECT_EQ(refuse("{").substr(0, 9), "not JSON:");
}

TEST(Exchange, LayerScoresAreTheAverageOfTheFile) {
  const auto profile =
      imported("compresskv_layers", R"({"niah": [0.5, 0.5], "avg_score": [0.25, 0.75]})");
  EXPECT_EQ(profile.layer_errors.at("compresskv").sum, (std::vector<double>{0.25, 0.75}));
  EXPECT_EQ(profile.layer_errors.at("compresskv").count, 1);
  EXPECT_EQ(refusal("compresskv_layers", R"({"niah": [0.5, 0.5]})"),
            "need an object with the key 'avg_score'");
  EXPECT_EQ(refusal("compresskv_layers", R"({"avg_score": [1, 2, 3]})"),
            "avg_score has 3 layers, the profile's model has 2");
  EXPECT_EQ(refusal("compresskv_layers", R"({"a": [1, "x"], "avg_score": [1, 2]})"),
            "a[1] is a string, need a number");
  EXPECT_EQ(refusal("compresskv_layers", R"({"avg_score": [0, 0]})"),
            "avg_score sums to 0, need a sum > 0");
}

constexpr const char* kHeadKv =
    R"({"0-0": [1, 2], "0-1": [0, 0.5], "0-2": [0, 0], "0-3": [0, 0],
        "1-0": [0, 0], "1-1": [4, 4], "1-2": [0, 0], "1-3": [0, 0]})";

TEST(Exchange, SamplesOfHeadsAreSummed) {
  const auto profile = imported("headkv", kHeadKv);
  const auto& scores = profile.heads.at("retrieval_reasoning");
  EXPECT_EQ(scores.sum, (std::vector<double>{3, 0.5, 0, 0, 0, 8, 0, 0}));
  EXPECT_EQ(scores.count, 2);
  EXPECT_EQ(scores.per_prompt[8 + 1], 0.5f) << "second sample of head 1 of layer 0";
  EXPECT_EQ(profile.facts().head_scores->at(1), (std::vector<double>{0, 4, 0, 0}));
  EXPECT_TRUE(imported("headkv", kHeadKv, "semantic").heads.contains("semantic"));
}

TEST(Exchange, SamplesThatDoNotFitAreRefused) {
  const auto with = [](const std::string& from, const std::string& to) {
    std::string text = kHeadKv;
    return refusal("headkv", text.replace(text.find(from), from.size(), to));
  };
  EXPECT_EQ(with("[4, 4]", "[4, -4]"), "1-1[1] = -4, need 0 .. 1e+30");
  EXPECT_EQ(with("[4, 4]", "[4, 1e40]"), "1-1[1] = 1e+40, need 0 .. 1e+30");
  EXPECT_EQ(with("[4, 4]", "[4, null]"), "1-1[1] is a null, need a number");
  EXPECT_EQ(with("[4, 4]", "[4, NaN]").substr(0, 9), "not JSON:");
  EXPECT_EQ(with("[4, 4]", "[4]"),
            "1-1 is a array of 1, need a list of scores, as many as 0-0 has");
  EXPECT_EQ(with("\"1-1\"", "\"1-01\""),
            "key '1-01' is not of the profile's model, need 0-0 .. 1-3");
}

TEST(Exchange, APatternIsATableAndTwoSizes) {
  Profile profile = empty_profile();
  const auto folder = duo_folder("1.0\t2.5e-1\r\n-0.5\t7\n\n", kDuoConfig);
  const auto& duo = find_exchange("duo");
  EXPECT_EQ(import_file(duo, folder, "", profile),
            "streaming pattern: 2 x 2 KV heads, 4 sink and 8 recent tokens; 2 values clipped to "
            "0 .. 1");
  EXPECT_EQ(profile.streaming, (StreamingHeads{{1, 0.25, 0, 1}, 4, 8}));
  Profile from_table = empty_profile();
  import_file(duo, folder / "full_attention_heads.tsv", "", from_table);
  EXPECT_EQ(from_table.streaming, profile.streaming);
}

TEST(Exchange, APatternThatDoesNotFitIsRefused) {
  EXPECT_EQ(duo_refusal("1\t0\n", kDuoConfig),
            "full_attention_heads.tsv: 1 rows, the profile's model has 2 layers");
  EXPECT_EQ(duo_refusal("1\t0\n1\t0\t1\n", kDuoConfig),
            "full_attention_heads.tsv:2: 3 columns, the profile's model has 2 KV heads");
  EXPECT_EQ(duo_refusal("1\tnan\n1\t0\n", kDuoConfig),
            "full_attention_heads.tsv:1: column 2 is 'nan', need a finite number");
  EXPECT_EQ(duo_refusal("1 0\n1 0\n", kDuoConfig),
            "full_attention_heads.tsv:1: column 1 is '1 0', need a finite number");
  EXPECT_EQ(duo_refusal("1\t0\n1\t0\n", R"({"sink_size": 4})"),
            "config.json: the key 'recent_size' is missing");
  EXPECT_EQ(duo_refusal("1\t0\n1\t0\n", R"({"sink_size": -4, "recent_size": 8})"),
            "config.json: sink_size = -4, need a whole number, 0 .. 1000000000");
}

TEST(Exchange, APruneTableIsReadFromJsonAndFromNpy) {
  const PruneTable table{2, {.1, .2, .3, .4, .5, 1, 0, .9}};
  EXPECT_EQ(imported("lukv", "[[[0.1,0.2],[0.3,0.4]],[[0.5,1],[0,0.9]]]").prune_table, table);
  EXPECT_EQ(imported("lukv", npy("(2, 2, 2)", table.shares)).prune_table, table);
}

TEST(Exchange, APruneTableThatDoesNotFitIsRefused) {
  EXPECT_EQ(refusal("lukv", "[]"), "a JSON array of 0, need a list of steps");
  EXPECT_EQ(refusal("lukv", "[[[0.1,0.2]]]"), "[0] has 1 layers, the profile's model has 2");
  EXPECT_EQ(refusal("lukv", "[[[0.1,0.2],[0.3]]]"),
            "[0][1] has 1 KV heads, the profile's model has 2");
  EXPECT_EQ(refusal("lukv", "[[[0.1,0.2],[0.3,1.5]]]"), "[0][1][1] = 1.5, need 0 .. 1");
  EXPECT_EQ(refusal("lukv", npy("(1, 2, 2)", {0, 0, 0, std::nan("")})),
            "value 3 = nan, need 0 .. 1");
  EXPECT_EQ(refusal("lukv", npy("(4,)", {0, 0, 0, 0})), "shape (4), need (steps, 2, 2)");
  EXPECT_EQ(refusal("lukv", npy("(1, 2, 2)", {0, 0, 0})),
            "shape (1, 2, 2) takes 32 bytes, the file has 24: truncated?");
  EXPECT_EQ(refusal("lukv", npy("(9223372036854775807, 9, 2)", {})),
            "shape (9223372036854775807, 9, 2) is too large");
  EXPECT_EQ(refusal("lukv", npy("(1, 2, 2)", {0, 0, 0, 0}).replace(22, 3, ">f8")),
            ".npy header is not one of f4 or f8, little-endian, row-major");
}

TEST(Exchange, SharesOfKvHeadsSumToOne) {
  const auto profile =
      imported("am_head_budgets", R"({"L0H0": 0.4, "L0H1": 0.3, "L1H0": 0.2, "L1H1": 0.1})");
  EXPECT_EQ(*profile.kv_head_shares, (std::vector<double>{0.4, 0.3, 0.2, 0.1}));
  EXPECT_EQ(refusal("am_head_budgets", R"({"L0H0": 1, "L0H1": 1, "L1H0": 0, "L1H1": 0})"),
            "the shares sum to 2, need 1");
  EXPECT_EQ(refusal("am_head_budgets", R"({"L0H0": 0.4, "L0H1": 0.6, "L1H0": 0})"),
            "the key 'L1H1' is missing, need L0H0 .. L1H1");
}

TEST(Exchange, WhatWasExportedIsImportedTheSame) {
  Profile profile = empty_profile();
  profile.heads["semantic_ranking"] = {2, 4, {1, 2, 0, 3, 3, 2, 1, 0}, 1, {1, 2, 0, 3, 3, 2, 1, 0}};
  profile.heads["retrieval_reasoning"] = imported("headkv", kHeadKv).heads["retrieval_reasoning"];
  profile.layer_errors["compresskv"] = {{0.25, 0.75}, 1};
  profile.streaming = {{1, 0.1, 0, 0.5}, 4, 8};
  profile.prune_table = {1, {0.1, 1.0 / 3, 0.3, 1}};
  profile.kv_head_shares = {0.4, 0.3, 0.2, 0.1};
  Profile again = empty_profile();
  for (const ExchangeInfo* format : exchange_table()) {
    const fs::path folder = test::scratch_dir();
    const auto files = export_files(*format, profile, "");
    for (const auto& file : files) std::ofstream(folder / file.name) << file.text;
    import_file(*format, files.size() > 1 ? folder : folder / files[0].name, "", again);
  }
  EXPECT_EQ(again.heads, profile.heads);
  EXPECT_NEAR(again.layer_errors.at("compresskv").sum[1], 0.75, 1e-11);
  EXPECT_EQ(again.streaming, profile.streaming);
  EXPECT_EQ(again.prune_table, profile.prune_table);
  EXPECT_EQ(again.kv_head_shares, profile.kv_head_shares);
}

TEST(Exchange, AMissingPartOrAWrongNameIsAConfigError) {
  Profile profile = empty_profile();
  const auto failure = [&](const char* format, const char* kind = "") {
    return error_of(Kind::config, [&] { export_files(find_exchange(format), profile, kind); });
  };
  EXPECT_EQ(failure("duo"), "the profile has no streaming pattern to export");
  EXPECT_EQ(failure("headkv"),
            "the profile has no head scores of kind 'retrieval_reasoning' (has: none)");
  EXPECT_EQ(failure("lukv", "semantic"),
            "kind 'semantic': format lukv holds no head scores, need none");
  EXPECT_EQ(failure("headvk"),
            "no format 'headvk', did you mean 'headkv'? (known: am_head_budgets, "
            "compresskv_heads, compresskv_layers, duo, headkv, lukv)");
}

TEST(Exchange, TheAuthorsFilesAreRead) {
  const auto compresskv = test::external_data("compresskv/Llama-3.1-8B-Instruct_head_idx.json");
  const auto layers = test::external_data("compresskv/Llama-3.1-8B-Instruct_layer_score.jsonl");
  const auto headkv =
      test::external_data("headkv/Meta-Llama-3-8B-Instruct_retrieval_reasoning_heads.json");
  KVCAL_SKIP_IF_ABSENT(compresskv, "compresskv");
  KVCAL_SKIP_IF_ABSENT(layers, "compresskv");
  KVCAL_SKIP_IF_ABSENT(headkv, "headkv");
  Profile profile;
  profile.model = {"llama", "c", "w", "t", 32, 32, 8, 128};
  import_file(find_exchange("compresskv_heads"), compresskv, "", profile);
  import_file(find_exchange("compresskv_layers"), layers, "", profile);
  import_file(find_exchange("headkv"), headkv, "", profile);
  const auto facts = profile.facts();
  // The first heads of layer 0 as the file has them.
  EXPECT_EQ(std::vector<int64_t>(facts.semantic_ranking->at(0).begin(),
                                 facts.semantic_ranking->at(0).begin() + 4),
            (std::vector<int64_t>{11, 25, 23, 27}));
  EXPECT_NEAR(std::accumulate(facts.layer_error->begin(), facts.layer_error->end(), 0.0), 1, 1e-9);
  EXPECT_EQ(profile.heads.at("retrieval_reasoning").count, 74);
  profile.save(test::scratch_dir() / "p.h5");
}

}  // namespace
}  // namespace kvcal
