// SPDX-License-Identifier: Apache-2.0
#include "kvcal/profile/longbench.hpp"

#include <gtest/gtest.h>

#include <cmath>
#include <fstream>
#include <nlohmann/json.hpp>
#include <set>

#include "kvcal/compress/error.hpp"
#include "kvcal/profile/metric.hpp"
#include "kvcal/profile/resources.hpp"
#include "kvcal/profile/task.hpp"
#include "longbench/middle_truncation.hpp"
#include "support/byte_tokenizer.hpp"
#include "support/errors.hpp"
#include "support/paths.hpp"
#include "tasks/lookup/resolved_task.hpp"

namespace kvcal {
namespace {

namespace fs = std::filesystem;
using nlohmann::json;
using test::expect_error;

TEST(MiddleTruncation, keeps_both_ends_and_an_even_number_of_tokens) {
  const Tokenizer tokenizer = test::byte_tokenizer();
  EXPECT_EQ(without_middle("abcdefgh", 8, tokenizer), "abcdefgh");
  EXPECT_EQ(without_middle("abcdefgh", 7, tokenizer), "abcfgh");
  EXPECT_EQ(without_middle("abcdefgh", 4, tokenizer), "abgh");
}

TEST(MiddleTruncation, counts_special_tokens_but_does_not_write_them) {
  const Tokenizer tokenizer = test::byte_tokenizer(/*has_bos=*/true);
  EXPECT_EQ(without_middle("abcdefg", 8, tokenizer), "abcdefg");
  EXPECT_EQ(without_middle("abcdefgh", 8, tokenizer), "abcefgh");  // <s> is the first of four
}

TEST(MiddleTruncation, a_character_that_is_cut_in_two_leaves_replacements) {
  const Tokenizer tokenizer = test::byte_tokenizer();
  EXPECT_EQ(without_middle("a\u6BB5bcd\u843Dz", 6, tokenizer), "a\uFFFD\uFFFD\uFFFDz");
}

/// A copy of LongBench's layout with one dataset of our making.
class LongbenchTask : public testing::Test {
 protected:
  LongbenchTask() {
    fs::create_directories(root / "config");
    fs::create_directories(root / "data");
    write_configs("T {context} | {input} ?");
    write_samples({line("one", "ctx", "inp"), line("two", "ctx", "{context}"), line("", "x", "y")});
  }
  static json line(const std::string& id, const std::string& context, const std::string& input) {
    return {
        {"_id", id},    {"context", context},     {"input", input},      {"answers", {"A", "B"}},
        {"length", 12}, {"all_classes", nullptr}, {"dataset", "qasper"}, {"language", "en"}};
  }
  void write_configs(const std::string& prompt) const {
    std::ofstream(root / "config/dataset2prompt.json")
        << json{{"qasper", prompt}, {"samsum", prompt}};
    std::ofstream(root / "config/dataset2maxlen.json") << json{{"qasper", 7}, {"samsum", 5}};
    std::ofstream(root / "config/model2maxlen.json") << json{{"small", 10}};
  }
  void write_samples(const std::vector<json>& lines) const {
    for (const char* name : {"qasper", "qasper_e", "samsum"}) {
      std::ofstream stream(root / "data" / (std::string(name) + ".jsonl"));
      for (const auto& one : lines) stream << one.dump() << "\n";
    }
  }
  std::unique_ptr<Task> open(const std::string& spec, ParamMap params = {}) const {
    params["root"] = {root.string(), "--root"};
    return open_task(spec, context, params);
  }

  fs::path root = test::scratch_dir();
  Tokenizer tokenizer = test::byte_tokenizer();
  ChatFormat chat;
  TaskContext context{tokenizer, chat, 1000, 0};
};

TEST_F(LongbenchTask, fills_the_template_once_and_parts_it_behind_the_context) {
  const auto task = open("longbench:qasper");
  ASSERT_EQ(task->size(), 3);
  const Sample sample = task->sample(0);
  EXPECT_EQ(sample.context, "T ctx");
  EXPECT_EQ(sample.question, " | inp ?");
  EXPECT_EQ(sample.references, (std::vector<std::string>{"A", "B"}));
  EXPECT_EQ(sample.metric, "qa_f1_score");
  EXPECT_EQ(sample.max_new_tokens, 7);
  EXPECT_EQ(sample.length, 12);
  EXPECT_TRUE(sample.chat);
  EXPECT_FALSE(sample.scores_first_line);
  EXPECT_TRUE(sample.stop_ids.empty());
  EXPECT_EQ(task->sample(1).question, " | {context} ?");  // braces of a value are text
}

TEST_F(LongbenchTask, an_input_in_front_of_the_context_belongs_to_it) {
  write_configs("{input}: {context}. {input}");
  const Sample sample = open("longbench:qasper")->sample(0);
  EXPECT_EQ(sample.context, "inp: ctx");
  EXPECT_EQ(sample.question, ". {input}");
}

TEST_F(LongbenchTask, samples_on_one_context_share_a_document_and_have_ids_of_their_own) {
  const auto task = open("longbench:qasper");
  EXPECT_EQ(task->sample(0).document, task->sample(1).document);
  EXPECT_NE(task->sample(0).document, task->sample(2).document);
  EXPECT_EQ(task->sample(0).id, "one");
  EXPECT_EQ(task->sample(2).id, "#3");
}

TEST_F(LongbenchTask, a_long_prompt_loses_its_middle_and_keeps_its_question_apart) {
  const auto cut = [&](ParamMap params) {
    const Sample sample = open("longbench:qasper", std::move(params))->sample(0);
    return std::pair(sample.context, sample.question);
  };
  using Parts = std::pair<std::string, std::string>;
  EXPECT_EQ(cut({{"max_length", {int64_t{13}, "-"}}}), Parts("T ctx", " | inp ?"));
  EXPECT_EQ(cut({{"max_length", {int64_t{12}, "-"}}}), Parts("T ctx  inp ?", ""));
  EXPECT_EQ(cut({{"max_length_of", {std::string("small"), "-"}}}), Parts("T ctxinp ?", ""));
  write_samples({line("long", std::string(3000, 'x'), "q")});
  // 1000 of the model, less 7 to come and the 32 that may come back when it is encoded again.
  const Sample whole = open("longbench:qasper")->sample(0);
  EXPECT_EQ((whole.context + whole.question).size(), 960u);
  EXPECT_EQ(whole.question, " | q ?");
}

TEST_F(LongbenchTask, samsum_ends_at_a_newline_after_at_least_one_token) {
  const Sample sample = open("longbench:samsum")->sample(0);
  EXPECT_EQ(sample.stop_ids, std::vector<int64_t>{'\n'});
  EXPECT_EQ(sample.min_new_tokens, 1);
  EXPECT_TRUE(sample.scores_first_line);
  EXPECT_FALSE(sample.chat);
}

TEST_F(LongbenchTask, faults_of_the_users_copy_are_named_with_their_place) {
  expect_error(Kind::config, "no task 'longbench:quasper', did you mean 'longbench:qasper'?",
               [&] { open("longbench:quasper"); });
  expect_error(Kind::config, "max_length = 5 and max_length_of = small, need one of them", [&] {
    open("longbench:qasper",
         {{"max_length", {int64_t{5}, "-"}}, {"max_length_of", {std::string("small"), "-"}}});
  });
  expect_error(Kind::input, "model2maxlen.json: ", [&] {
    open("longbench:qasper", {{"max_length_of", {std::string("big"), "-"}}});
  });
  write_samples({{{"context", "c"}, {"input", "i"}, {"answers", {"a"}}}});
  expect_error(Kind::input, "qasper.jsonl:1: field 'length' is missing or no number",
               [&] { open("longbench:qasper"); });
  write_samples({{{"context", "c"}, {"input", "i"}, {"length", 1}}});
  expect_error(Kind::input, "qasper.jsonl:1: field 'answers' is missing or empty",
               [&] { open("longbench:qasper"); });
  write_configs("no place for it");
  expect_error(Kind::input, "dataset2prompt.json: qasper: no {context} in it",
               [&] { open("longbench:qasper"); });
  fs::remove(root / "data/qasper_e.jsonl");
  expect_error(Kind::input, "qasper_e.jsonl; name its folder by --task-param root=DIR",
               [&] { open("longbench_e:qasper"); });
  context.max_tokens = 30;
  write_configs("{context}");
  write_samples({line("one", "ctx", "inp")});
  expect_error(Kind::config, "leave no room for a prompt, the model takes 30",
               [&] { open("longbench:qasper"); });
}

TEST_F(LongbenchTask, the_list_of_tasks_says_where_the_data_is) {
  std::map<std::string, DataPlace> places;
  for (const auto& task : known_tasks({{"root", {root.string(), "--root"}}})) {
    if (task.data) places.emplace(task.name, *task.data);
  }
  EXPECT_TRUE(places.at("longbench:qasper").is_found);
  EXPECT_TRUE(places.at("longbench_e:qasper").is_found);
  EXPECT_FALSE(places.at("longbench:trec").is_found);
  EXPECT_EQ(places.at("longbench:trec").text, "no " + (root / "data/trec.jsonl").string());
}

/// The prompt of every sample we wrote, with its own reference as the reply.
TEST_F(LongbenchTask, a_right_reply_scores_high_on_every_kind_of_dataset) {
  const auto samples = resource("data/samples/longbench");
  root = samples;
  std::set<std::string> metrics;
  for (const auto& entry : fs::directory_iterator(samples / "data")) {
    const std::string name = entry.path().stem().string();
    const bool is_extended = name.ends_with("_e");
    const std::string spec =
        is_extended ? "longbench_e:" + name.substr(0, name.size() - 2) : "longbench:" + name;
    const auto params = resolve_task(spec).params;
    const auto metric = std::get<std::string>(params.at("metric").value);
    const bool needs_jieba = metric == "qa_f1_zh_score" || metric == "rouge_zh_score";
    if (needs_jieba && !fs::exists(resource("data") / "jieba")) continue;
    const auto task = open(spec);
    metrics.insert(metric);
    for (int64_t i = 0; i < task->size(); ++i) {
      const Sample sample = task->sample(i);
      EXPECT_NE(sample.question, "") << spec;
      const std::string reply = "\n" + sample.references.front() + "\nand more";
      EXPECT_GT(score_prediction(sample, sample.scores_first_line ? reply : sample.references[0]),
                0.99)
          << spec << " " << i;
      EXPECT_LT(score_prediction(sample, ""), 0.5) << spec;
    }
  }
  EXPECT_GE(metrics.size(), 6u);
}

SampleRecord record(const std::string& task, double score, double length = 0,
                    const std::string& method = "full") {
  SampleRecord made;
  made.task = task, made.method = method, made.score = score, made.length = length;
  made.budget = method == "full" ? "full" : "64";
  made.visibility = "aware";
  made.sample = "s";
  return made;
}

TEST(LongbenchSummary, scores_are_hundredths_of_percents_and_count_all_samples) {
  Results results;
  for (double score : {1.0, 0.0, 0.0}) results.records.push_back(record("longbench:trec", score));
  results.records.back().uncompressed = true;
  results.records.push_back(record("niah", 1));
  results.records.push_back(record("longbench:trec", 0.5, 0, "snapkv"));
  const auto summaries = summarise_longbench(results);
  ASSERT_EQ(summaries.size(), 2u);
  ASSERT_EQ(summaries[0].datasets.size(), 1u);
  EXPECT_EQ(summaries[0].datasets[0].score, 33.33);
  EXPECT_EQ(summaries[0].datasets[0].n, 3);
  EXPECT_EQ(summaries[1].method, "snapkv");
  EXPECT_EQ(summaries[1].datasets[0].score, 50);
  EXPECT_FALSE(summaries[0].mean_of_sixteen);
  EXPECT_TRUE(summarise_longbench({}).empty());
}

TEST(LongbenchSummary, longbench_e_scores_by_length_and_an_empty_bucket_is_no_number) {
  Results results;
  results.records = {record("longbench_e:qasper", 1, 3999), record("longbench_e:qasper", 0, 0),
                     record("longbench_e:qasper", 0.25, 8000)};
  const LongbenchScore score = summarise_longbench(results).at(0).datasets.at(0);
  ASSERT_EQ(score.by_length.size(), 3u);
  EXPECT_EQ(score.by_length[0], 50);
  EXPECT_TRUE(std::isnan(score.by_length[1]));
  EXPECT_EQ(score.by_length[2], 25);
}

TEST(LongbenchSummary, means_are_of_rounded_scores_and_only_of_complete_sets) {
  Results results;
  int sixteenth = 0, datasets = 0;
  for (const auto& task : known_tasks()) {
    const auto facts = longbench_facts(task.name);
    if (!facts || facts->is_extended) continue;
    // 1/3 is 33.33 for the sixteen, 2/3 is 66.67 for the Chinese ones.
    for (int i = 0; i < 3; ++i) {
      results.records.push_back(record(task.name, i < (facts->is_of_sixteen ? 1 : 2) ? 1 : 0));
    }
    sixteenth += facts->is_of_sixteen;
    ++datasets;
  }
  EXPECT_EQ(sixteenth, 16);
  EXPECT_EQ(datasets, 21);
  const auto whole = summarise_longbench(results).at(0);
  EXPECT_EQ(whole.mean_of_sixteen, 33.33);
  EXPECT_EQ(whole.english.size(), 6u);
  EXPECT_EQ(whole.english_mean, 33.33);
  EXPECT_EQ(whole.chinese.at("summarization"), 66.67);
  EXPECT_EQ(whole.chinese.at("code"), 33.33);
  EXPECT_EQ(whole.chinese_mean, 61.11);  // (5 x 66.67 + 33.33) / 6
  results.records.erase(results.records.begin(), results.records.begin() + 3);  // 2wikimqa
  const auto part = summarise_longbench(results).at(0);
  EXPECT_FALSE(part.mean_of_sixteen);
  EXPECT_FALSE(part.english.contains("multi_document_qa"));
  EXPECT_FALSE(part.english_mean);
  EXPECT_EQ(part.chinese_mean, 61.11);
}

TEST(LongbenchPredictions, have_the_folders_names_and_keys_that_eval_py_reads) {
  Results results;
  results.model.name = "tiny";
  auto one = record("longbench:trec", 1, 42);
  one.prediction = "\u4F53\u80B2\n";
  one.references = {"a", "b"};
  results.records = {one, record("longbench_e:qasper", 0, 7, "snapkv"), record("niah", 1)};
  const auto folder = test::scratch_dir();
  write_longbench_predictions(folder, results, [](const SampleRecord& of) {
    return of.task == "longbench:trec" ? std::vector<std::string>{"k"} : std::vector<std::string>();
  });
  std::set<std::string> files;
  for (const auto& entry : fs::recursive_directory_iterator(folder)) {
    if (entry.is_regular_file()) files.insert(entry.path().lexically_relative(folder));
  }
  EXPECT_EQ(files, (std::set<std::string>{"pred/tiny_full_aware/trec.jsonl",
                                          "pred_e/tiny_snapkv_64_aware/qasper.jsonl"}));
  std::ifstream stream(folder / "pred/tiny_full_aware/trec.jsonl");
  std::string text{std::istreambuf_iterator<char>(stream), {}};
  EXPECT_EQ(text,
            "{\"pred\":\"\u4F53\u80B2\\n\",\"answers\":[\"a\",\"b\"],\"all_classes\":[\"k\"],"
            "\"length\":42}\n");
  std::ifstream other(folder / "pred_e/tiny_snapkv_64_aware/qasper.jsonl");
  EXPECT_TRUE(json::parse(other).at("all_classes").is_null());
}

}  // namespace
}  // namespace kvcal
