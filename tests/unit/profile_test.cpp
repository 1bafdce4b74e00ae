// SPDX-License-Identifier: Apache-2.0
#include "kvcal/profile/profile.hpp"

#include <gtest/gtest.h>

#include <cmath>
#include <fstream>
#include <functional>

#include "../../libprofile/store/hdf5.hpp"
#include "kvcal/compress/error.hpp"
#include "support/errors.hpp"
#include "support/files.hpp"
#include "support/paths.hpp"
#include "support/structure.hpp"

namespace kvcal {
namespace {
namespace fs = std::filesystem;

/// 2 layers, 4 heads, 2 KV heads, 2 prompts.
Profile small_profile() {
  Profile profile;
  profile.model = {"tiny", "c0", "w0", "t0", 2, 4, 2, 8};
  profile.provenance = {
      "srh-identify 0.1.0 (abc1234)", "srh-identify --model tiny", "seed: 1\n", "cpu", "f32", 1,
      "2026-01-02T03:04:05Z"};
  HeadScores& semantic = profile.heads["semantic"];
  semantic = {2, 4, {1, 4, 2, 4, 0, 0, 0, 8}, 2, std::vector<float>(16, 0.5f)};
  profile.layer_errors["niah"] = {{1, 3}, 10, {16, 64, 256}, {2, 1, .5, 6, 3, 1}};
  profile.layer_errors["jsonl:a/b.jsonl"] = {{6, 2}, 4};
  profile.budgets["layer_error"][8] = {9, 9, 7, 7};
  profile.streaming = {{1, 0.25, 0, 0.5}, 4, 8};
  profile.prune_table = {3, {0, .1, .2, .3, .4, .5, .6, .7, .8, .9, 1, 1}};
  profile.kv_head_shares = {0.4, 0.3, 0.2, 0.1};
  profile.prompts = {{"d0", "srh-identify"}, {"d1", "srh-identify"}};
  Selection setting{"scorer: snapkv\n", "niah", "3%", 60, "snapkv", 9, 6, .2, 2, .9, .1, 1};
  profile.selections["snapkv"] = {setting, setting};
  profile.selections["snapkv"].back().budget_tokens = 120;
  return profile;
}

fs::path saved(const Profile& profile) {
  const fs::path file = test::scratch_dir() / "p.h5";
  profile.save(file);
  return file;
}

using test::error_of;

using test::bytes_of;

/// Attributes of groups below the root, made with their groups.
void copy_group_attributes(const Hdf5Reader& reader, const std::string& group, Hdf5Writer& writer) {
  const auto names = reader.attribute_names(group);
  if (group == "/" || names.empty()) return;
  writer.make_group(group);
  for (const auto& name : names)
    writer.write_attribute(group, name, reader.attribute<int64_t>(group, name));
}

/// The sentence of load() on the small profile with one dataset replaced, behind "file: ".
/// `replace` null: the dataset is left out.
std::string load_error(const std::string& path, const std::function<void(Hdf5Writer&)>& replace) {
  const fs::path file = saved(small_profile());
  const fs::path damaged = file.parent_path() / "damaged.h5";
  const Hdf5Reader reader(file);
  Hdf5Writer writer(damaged);
  const auto copy_attribute = [&](const std::string& name) {
    if (name == "complete" || (path == "@" + name && !replace)) return;
    if (reader.attribute_dtype("/", name) == "i64") {
      writer.write_attribute("/", name, reader.attribute<int64_t>("/", name));
    } else {
      writer.write_attribute("/", name, reader.attribute<std::string>("/", name));
    }
  };
  for (const auto& name : reader.attribute_names("/")) copy_attribute(name);
  std::function<void(const std::string&)> copy = [&](const std::string& at) {
    if (at == path) {
      if (replace) replace(writer);
    } else if (reader.is_group(at)) {
      copy_group_attributes(reader, at, writer);
      for (const auto& child : reader.children(at)) copy((at == "/" ? "" : at) + "/" + child);
    } else {
      writer.copy_from(reader, at, at);
    }
  };
  copy("/");
  writer.finish();
  const std::string error = error_of(Kind::input, [&] { Profile::load(damaged); });
  return error.starts_with(damaged.string()) ? error.substr(damaged.string().size() + 2) : error;
}

TEST(Profile, LoadGivesWhatSaveGot) {
  const Profile before = small_profile();
  const Profile after = Profile::load(saved(before));
  EXPECT_EQ(after.model, before.model);
  EXPECT_EQ(after.provenance, before.provenance);
  EXPECT_TRUE(after.history.empty());
  EXPECT_EQ(after.heads.at("semantic").sum, before.heads.at("semantic").sum);
  EXPECT_EQ(after.heads.at("semantic").count, 2);
  EXPECT_EQ(after.heads.at("semantic").per_prompt, before.heads.at("semantic").per_prompt);
  EXPECT_EQ(after.layer_errors.at("jsonl:a/b.jsonl").sum, (std::vector<double>{6, 2}));
  EXPECT_EQ(after.layer_errors.at("niah"), before.layer_errors.at("niah"));
  EXPECT_EQ(after.selections, before.selections);
  EXPECT_EQ(after.budgets, before.budgets);
  EXPECT_EQ(after.streaming, before.streaming);
  EXPECT_EQ(after.prune_table, before.prune_table);
  EXPECT_EQ(after.kv_head_shares, before.kv_head_shares);
  EXPECT_EQ(after.prompts, before.prompts);
}

TEST(Profile, SameProfileGivesTheSameBytes) {
  const fs::path file = saved(small_profile());
  EXPECT_EQ(bytes_of(file), bytes_of(saved(small_profile())));
  Profile::load(file).save(file);
  EXPECT_EQ(bytes_of(file), bytes_of(saved(small_profile())));
}

TEST(Profile, ItsStructureIsTheDocumentedOne) {
  Profile profile = small_profile();
  profile.begin_stage({"layer-budget 0.1.0 (abc1234)", "", "", "cpu", "f32", 1, ""});
  test::expect_golden(test::structure_of(saved(profile)), "profile_structure.txt");
}

TEST(Profile, AnEmptyProfileOfAModelIsSoundToo) {
  Profile profile;
  profile.model = small_profile().model;
  const Profile after = Profile::load(saved(profile));
  EXPECT_TRUE(after.heads.empty() && after.layer_errors.empty() && after.prompts.empty());
  EXPECT_FALSE(after.facts().semantic_ranking.has_value());
  EXPECT_FALSE(after.facts().layer_error.has_value());
  EXPECT_FALSE(after.facts().streaming_pattern.has_value());
  EXPECT_FALSE(after.facts().prune_table.has_value());
  EXPECT_FALSE(after.streaming || after.prune_table || after.kv_head_shares);
}

TEST(Profile, FactsAreNestedByLayer) {
  const auto facts = small_profile().facts();
  EXPECT_EQ(facts.streaming_pattern->retrieval,
            (std::vector<std::vector<double>>{{1, 0.25}, {0, 0.5}}));
  EXPECT_EQ(facts.streaming_pattern->sink_tokens, 4);
  EXPECT_EQ(facts.streaming_pattern->recent_tokens, 8);
  ASSERT_EQ(facts.prune_table->size(), 3u);
  EXPECT_EQ(facts.prune_table->at(1), (std::vector<std::vector<double>>{{.4, .5}, {.6, .7}}));
}

TEST(Profile, WhatWasImportedForThePurposeGoesBeforeSemanticHeads) {
  Profile profile = small_profile();
  EXPECT_EQ(profile.facts().head_scores->at(1), (std::vector<double>{0, 0, 0, 4}));
  profile.heads["retrieval_reasoning"] = {
      2, 4, {1, 2, 3, 4, 5, 6, 7, 8}, 1, std::vector<float>(8, 1)};
  EXPECT_EQ(profile.facts().head_scores->at(1), (std::vector<double>{5, 6, 7, 8}));
  EXPECT_EQ(profile.facts().semantic_ranking->at(0), (std::vector<int64_t>{1, 3, 2, 0}));
  profile.heads["semantic_ranking"] = profile.heads["retrieval_reasoning"];
  EXPECT_EQ(profile.facts().semantic_ranking->at(0), (std::vector<int64_t>{3, 2, 1, 0}));
  // A ranking alone is no score.
  profile.heads.erase("retrieval_reasoning");
  profile.heads.erase("semantic");
  EXPECT_FALSE(profile.facts().head_scores.has_value());
}

TEST(Profile, RankingIsBestFirstAndTiesKeepTheOrderOfHeads) {
  const auto ranking = small_profile().heads.at("semantic").ranking();
  EXPECT_EQ(ranking[0], (std::vector<int64_t>{1, 3, 2, 0}));
  EXPECT_EQ(ranking[1], (std::vector<int64_t>{3, 0, 1, 2}));
  EXPECT_EQ(small_profile().heads.at("semantic").mean()[7], 4.0);
}

TEST(Profile, LayerImportanceIsTheMeanOfNormalisedErrors) {
  // (1/4, 3/4) and (6/8, 2/8): mean (1/2, 1/2).
  const auto importance = small_profile().layer_importance();
  EXPECT_NEAR(importance[0], 0.5, 1e-11);
  EXPECT_NEAR(importance[1], 0.5, 1e-11);
  Profile one = small_profile();
  one.layer_errors.erase("niah");
  one.layer_errors["nothing evicted"] = {{0, 0}, 3};
  EXPECT_NEAR(one.facts().layer_error->at(0), 0.75, 1e-11);
  one.layer_errors.clear();
  EXPECT_EQ(error_of(Kind::config, [&] { one.layer_importance(); }),
            "the profile has no layer errors: run layer-budget");
}

TEST(Profile, StagesKeepTheProvenanceOfTheProgramsBefore) {
  Profile profile = small_profile();
  profile.begin_stage({"layer-budget 0.1.0 (abc1234)", "layer-budget", "", "cpu", "f32", 2, ""});
  const Profile after = Profile::load(saved(profile));
  EXPECT_EQ(after.provenance.tool, "layer-budget 0.1.0 (abc1234)");
  ASSERT_EQ(after.history.size(), 1u);
  EXPECT_EQ(after.history[0], small_profile().provenance);
}

TEST(Profile, WhatALaterVersionAddedSurvivesLoadAndSave) {
  const fs::path file = saved(small_profile());
  {
    const Hdf5Reader reader(file);
    Hdf5Writer writer(file);
    writer.write_attribute<std::string>("/", "format", "kvcal.profile/1");
    for (const auto& name : reader.attribute_names("/")) {
      if (name == "format" || name == "complete") continue;
      if (reader.attribute_dtype("/", name) == "i64") {
        writer.write_attribute("/", name, reader.attribute<int64_t>("/", name));
      } else {
        writer.write_attribute("/", name, reader.attribute<std::string>("/", name));
      }
    }
    for (const auto& name : reader.children("/")) writer.copy_from(reader, "/" + name, "/" + name);
    writer.write<double>("/kv_heads/of_tomorrow", {1, 2, 3, 4}, {2, 2, 1});
    writer.write<double>("/layers/error/niah/of_tomorrow", {1, 2}, {2, 1});
    writer.write<double>("/layers/other", {1, 2}, {2});
    writer.write<double>("/tables/other", {1, 2}, {2});
    writer.finish();
  }
  Profile profile = Profile::load(file);
  profile.heads.clear();
  profile.layer_errors.erase("jsonl:a/b.jsonl");
  profile.layer_errors["niah"].curve_tokens.clear(), profile.layer_errors["niah"].curve.clear();
  profile.streaming.reset();
  profile.prune_table.reset();
  profile.save(file);
  const Hdf5Reader reader(file);
  EXPECT_EQ(reader.read<double>("/kv_heads/of_tomorrow", {2, 2, 1}),
            (std::vector<double>{1, 2, 3, 4}));
  EXPECT_TRUE(reader.has("/layers/error/niah/of_tomorrow"));
  EXPECT_TRUE(reader.has("/layers/other"));
  EXPECT_EQ(reader.children("/tables"), (std::vector<std::string>{"kv_head_shares", "other"}));
  EXPECT_FALSE(reader.has("/patterns/streaming"));
  EXPECT_FALSE(reader.has("/layers/error/niah/curve"));
  EXPECT_FALSE(reader.has("/heads")) << "what was taken out on purpose must not come back";
  EXPECT_EQ(reader.children("/layers/error"), std::vector<std::string>{"niah"});
}

TEST(Profile, MergingAddsSumsAndUnitesPrompts) {
  Profile a = small_profile(), b = small_profile();
  b.heads["traditional"] = b.heads["semantic"];
  b.prompts = {{"d1", "srh-identify"}, {"d2", "srh-identify"}};
  b.layer_errors.clear();
  const Profile merged = merge(std::vector<Profile>{a, b});
  EXPECT_EQ(merged.heads.at("semantic").sum[1], 8);
  EXPECT_EQ(merged.heads.at("semantic").count, 4);
  EXPECT_EQ(merged.heads.at("semantic").per_prompt.size(), 32u);
  EXPECT_EQ(merged.heads.at("traditional").count, 2);
  EXPECT_EQ(merged.prompts.size(), 3u);
  EXPECT_EQ(merged.layer_errors.at("niah").count, 10);
  EXPECT_EQ(merged.budgets, a.budgets) << "still follow from the layer errors of one profile";
  EXPECT_EQ(merged.history.size(), 1u);
  EXPECT_TRUE(merge(std::vector<Profile>{a, a}).budgets.empty());
  EXPECT_EQ(merge(std::vector<Profile>{a, a}).layer_errors.at("niah").sum[1], 6);
  EXPECT_EQ(merge(std::vector<Profile>{a, a}).layer_errors.at("niah").curve[3], 12);
  Profile other = a;
  other.layer_errors["niah"].curve_tokens[0] = 8;
  EXPECT_NE(error_of(Kind::input,
                     [&] {
                       merge(std::vector<Profile>{a, other});
                     })
                .find("its error curve of 'niah' is at other budgets"),
            std::string::npos);
  saved(merged);
  b.model.weights_sha256 = "w1";
  error_of(Kind::input, [&] { merge(std::vector<Profile>{a, b}); });
  EXPECT_EQ(error_of(Kind::config, [] { merge({}); }), "no profile to merge, need at least one");
}

TEST(Profile, MergingTakesATableFromWhoeverHasItAndRefusesTwo) {
  Profile a = small_profile(), b = small_profile();
  a.streaming.reset();
  const Profile merged = merge(std::vector<Profile>{a, b});
  EXPECT_EQ(merged.streaming, b.streaming);
  EXPECT_EQ(merged.prune_table, b.prune_table) << "equal ones are one";
  b.prune_table->shares[0] = 0.5;
  b.loaded_from = "b.h5";
  EXPECT_EQ(error_of(Kind::input,
                     [&] {
                       merge(std::vector<Profile>{a, b});
                     }),
            "b.h5: its prune table is not that of the profiles before; merge what agrees, then "
            "import the one you want");
}

/// Files of an older kvcal lack the column.
TEST(Profile, ASelectionWithoutBudgetsIsOneSettingForAll) {
  const fs::path file = saved(small_profile());
  Profile profile = small_profile();
  profile.selections["snapkv"].resize(1);
  profile.save(file);
  {
    const Hdf5Reader reader(file);
    Hdf5Writer writer(file);
    for (const auto& name : reader.attribute_names("/")) {
      if (name == "complete") continue;
      if (reader.attribute_dtype("/", name) == "i64") {
        writer.write_attribute("/", name, reader.attribute<int64_t>("/", name));
      } else {
        writer.write_attribute("/", name, reader.attribute<std::string>("/", name));
      }
    }
    for (const auto& name : reader.children("/")) {
      if (name != "selection") writer.copy_from(reader, "/" + name, "/" + name);
    }
    for (const auto& name : reader.children("/selection")) {
      const std::string path = "/selection/" + name;
      if (name != "budget_tokens") writer.copy_from(reader, path, path);
    }
    writer.finish();
  }
  const auto settings = Profile::load(file).selections.at("snapkv");
  ASSERT_EQ(settings.size(), 1u);
  EXPECT_EQ(settings[0].budget_tokens, 0);
  EXPECT_EQ(settings[0].method, "scorer: snapkv\n");
}

TEST(Profile, CurvesAndSettingsHaveAscendingBudgets) {
  Profile profile = small_profile();
  std::swap(profile.selections["snapkv"][0], profile.selections["snapkv"][1]);
  EXPECT_NE(error_of(Kind::internal, [&] { saved(profile); })
                .find("/selection/budget_tokens of 'snapkv' = 60, need ascending numbers"),
            std::string::npos);
  profile = small_profile();
  profile.layer_errors["niah"].curve_tokens = {16, 16, 256};
  EXPECT_NE(error_of(Kind::internal, [&] { saved(profile); })
                .find("/layers/error/niah/curve_tokens are not ascending"),
            std::string::npos);
}

TEST(Profile, DamagedTablesAreOneClearSentence) {
  const auto doubles = [](const char* path, std::vector<double> values, Hdf5Shape shape) {
    return load_error(path, [=](Hdf5Writer& w) { w.write(path, values, shape); });
  };
  const double nan = std::nan("");
  EXPECT_EQ(load_error("/patterns/streaming/retrieval", {}),
            "/patterns/streaming/retrieval is missing");
  EXPECT_EQ(doubles("/patterns/streaming/retrieval", {1, 0, 1, 0}, {4, 1}),
            "/patterns/streaming/retrieval has shape [4, 1], need [2, 2]");
  EXPECT_EQ(doubles("/patterns/streaming/retrieval", {1, 0, 1, 1.5}, {2, 2}),
            "/patterns/streaming/retrieval[1, 1] = 1.5, need 0 .. 1");
  EXPECT_EQ(load_error("/patterns/streaming",
                       [](Hdf5Writer& w) {
                         w.write<double>("/patterns/streaming/retrieval", {1, 0, 1, 0}, {2, 2});
                       }),
            "/patterns/streaming has no attribute 'sink_tokens'");
  EXPECT_EQ(load_error("/patterns/streaming",
                       [](Hdf5Writer& w) {
                         const std::string path = "/patterns/streaming";
                         w.write<double>(path + "/retrieval", {1, 0, 1, 0}, {2, 2});
                         w.write_attribute<int64_t>(path, "sink_tokens", 4);
                         w.write_attribute<int64_t>(path, "recent_tokens", -8);
                       }),
            "/patterns/streaming @recent_tokens = -8, need 0 .. 1000000000");
  EXPECT_EQ(doubles("/tables/prune", {.1, .2, .3, .4}, {2, 2}),
            "/tables/prune has shape [2, 2], need [n, 2, 2]");
  EXPECT_EQ(doubles("/tables/prune", {}, {0, 2, 2}), "/tables/prune has 0 steps, need at least 1");
  EXPECT_EQ(doubles("/tables/prune", {.1, .2, nan, .4}, {1, 2, 2}),
            "/tables/prune[0, 1, 0] = nan, need a finite number");
  EXPECT_EQ(doubles("/tables/prune", {.1, .2, -.3, .4}, {1, 2, 2}),
            "/tables/prune[0, 1, 0] = -0.3, need >= 0");
  EXPECT_EQ(doubles("/tables/kv_head_shares", {.1, .2, .3, .8}, {2, 2}).substr(0, 34),
            "/tables/kv_head_shares sums to 1.4");
}

TEST(Profile, AProfileOfAnotherModelNamesTheFirstDifference) {
  const ModelIdentity profile = small_profile().model;
  ModelIdentity model = profile;
  model.name = "renamed";
  require_same_model(profile, model, "p.h5");
  model.weights_sha256 = "w1";
  model.layers = 3;
  EXPECT_EQ(
      error_of(Kind::input, [&] { require_same_model(profile, model, "p.h5"); }),
      "p.h5: made for another model ('tiny'): weights_sha256 = w0, but the model 'renamed' has w1");
}

TEST(Profile, DamageIsOneClearSentence) {
  const auto sums = [](std::vector<double> values, Hdf5Shape shape) {
    return [=](Hdf5Writer& w) { w.write("/heads/semantic/sum", values, shape); };
  };
  const double nan = std::nan("");
  EXPECT_EQ(load_error("/heads/semantic/sum", {}), "/heads/semantic/sum is missing");
  EXPECT_EQ(load_error("/heads/semantic/sum", sums({1, 4, 2, 4, 0, 0, 0, 8}, {4, 2})),
            "/heads/semantic/sum has shape [4, 2], need [2, 4]");
  EXPECT_EQ(load_error("/heads/semantic/sum", sums({1, 4, 2, 4, 0, nan, 0, 8}, {2, 4})),
            "/heads/semantic/sum[1, 1] = nan, need a finite number");
  EXPECT_EQ(load_error("/heads/semantic/sum", sums({1, 4, 5, 4, 0, 0, 0, 8}, {2, 4})),
            "/heads/semantic/ranking of layer 0 is not the order of sum, largest first");
  EXPECT_EQ(load_error("/heads/semantic/count",
                       [](Hdf5Writer& w) { w.write_scalar<int64_t>("/heads/semantic/count", -1); }),
            "/heads/semantic/count = -1, need >= 0");
  EXPECT_EQ(load_error("/heads/semantic/count",
                       [](Hdf5Writer& w) { w.write_scalar<int64_t>("/heads/semantic/count", 3); }),
            "/heads/semantic/per_prompt has shape [2, 2, 4], need [3, 2, 4]");
  const auto ranking = [](std::vector<int32_t> values) {
    return [=](Hdf5Writer& w) { w.write("/heads/semantic/ranking", values, {2, 4}); };
  };
  EXPECT_EQ(load_error("/heads/semantic/ranking", ranking({1, 3, 2, 0, 3, 0, 0, 2})),
            "/heads/semantic/ranking lists head 0 of layer 1 twice");
  EXPECT_EQ(load_error("/heads/semantic/ranking", ranking({1, 3, 2, 4, 3, 0, 1, 2})),
            "/heads/semantic/ranking[0, 3] = 4, need 0 .. 3");
  EXPECT_EQ(load_error("/layers/error/niah/sum",
                       [](Hdf5Writer& w) {
                         w.write<double>("/layers/error/niah/sum", {1, -3}, {2});
                       }),
            "/layers/error/niah/sum[1] = -3, need >= 0");
  EXPECT_EQ(load_error("/budgets/layer_error/8",
                       [](Hdf5Writer& w) {
                         w.write<int64_t>("/budgets/layer_error/8", {9, 9, 7, 8}, {2, 2});
                       }),
            "/budgets/layer_error/8 sums to 33, need budget x layers x kv_heads = 32");
  EXPECT_EQ(load_error("/budgets/layer_error/8",
                       [](Hdf5Writer& w) {
                         w.write<int64_t>("/budgets/layer_error/8%", {9, 9, 7, 7}, {2, 2});
                       }),
            "/budgets/layer_error/8%: the name is no budget, need a whole number of tokens >= 1");
  EXPECT_EQ(load_error("/prompts/origin", {}), "/prompts/origin is missing");
  EXPECT_EQ(load_error("@seed", {}), "/ has no attribute 'seed'");
}

TEST(Profile, OtherFormatsAndNewerVersionsAreRefused) {
  const auto error_with = [](const std::string& format) {
    const fs::path file = test::scratch_dir() / "p.h5";
    Hdf5Writer writer(file);
    if (!format.empty()) writer.write_attribute("/", "format", format);
    writer.finish();
    return error_of(Kind::input, [&] { Profile::load(file); }).substr(file.string().size());
  };
  EXPECT_EQ(
      error_with("kvcal.profile/2"),
      ": format kvcal.profile/2 is newer than this program reads (up to kvcal.profile/1); update "
      "kvcal");
  EXPECT_EQ(error_with("kvcal.results/1"), ": format is 'kvcal.results/1', need kvcal.profile/1");
  EXPECT_EQ(error_with(""), ": no attribute 'format', need kvcal.profile/1");
}

TEST(Profile, ATruncatedFileIsRefusedWhereverItEnds) {
  const fs::path file = saved(small_profile());
  const auto size = fs::file_size(file);
  for (int part = 0; part < 16; ++part) {
    const fs::path cut = file.parent_path() / "cut.h5";
    fs::copy_file(file, cut, fs::copy_options::overwrite_existing);
    fs::resize_file(cut, size * part / 16);
    const std::string error = error_of(Kind::input, [&] { Profile::load(cut); });
    EXPECT_TRUE(error.starts_with(cut.string() + ": ")) << part << ": " << error;
  }
}

TEST(Profile, ADamagedByteIsAnErrorWhereverItIs) {
  const fs::path file = saved(small_profile());
  const std::string whole = bytes_of(file);
  for (size_t at = 0; at < whole.find("\nkvcal.seal"); at += 97) {
    std::string damaged = whole;
    damaged[at] = static_cast<char>(damaged[at] ^ 0xFF);
    const fs::path copy = file.parent_path() / "damaged.h5";
    std::ofstream(copy, std::ios::binary) << damaged;
    EXPECT_NE(error_of(Kind::input, [&] { Profile::load(copy); }), "no error") << at;
  }
}

TEST(Profile, ValuesThatLoadWouldRefuseAreNotSaved) {
  const fs::path file = saved(small_profile());
  Profile profile = small_profile();
  profile.heads["semantic"].sum[3] = std::nan("");
  EXPECT_EQ(error_of(Kind::internal, [&] { profile.save(file); }),
            file.string() + ": /heads/semantic/sum[0, 3] = nan, need a finite number");
  EXPECT_EQ(Profile::load(file).heads.at("semantic").sum[3], 4);
}

ModelConfig tiny_config() {
  ModelConfig config;
  config.name = "tiny";
  config.layers = 2, config.heads = 4, config.kv_heads = 2, config.head_dim = 8;
  return config;
}

TEST(Profile, AModelIsIdentifiedByTheHashesOfItsFiles) {
  const fs::path model = test::scratch_dir();
  std::ofstream(model / "config.json") << "{}";
  std::ofstream(model / "tokenizer.json") << "abc";
  EXPECT_EQ(error_of(Kind::input, [&] { identify_model(model, tiny_config()); }),
            (model / "model.safetensors").string() + ": cannot be read: No such file or directory");
  std::ofstream(model / "model-1.safetensors") << "a";
  std::ofstream(model / "model-2.safetensors") << "bc";
  std::ofstream(model / "model.safetensors.index.json")
      << R"({"weight_map": {"x": "model-2.safetensors", "y": "model-1.safetensors"}})";
  const ModelIdentity identity = identify_model(model, tiny_config());
  EXPECT_EQ(identity.weights_sha256, sha256("abc"));
  EXPECT_EQ(identity.tokenizer_sha256, sha256("abc"));
  EXPECT_EQ(identity.config_sha256, sha256("{}"));
  EXPECT_EQ(identity.head_dim, 8);
}

}  // namespace
}  // namespace kvcal
