// SPDX-License-Identifier: Apache-2.0
// Readers of QuALITY and LongHealth.
#include <nlohmann/json.hpp>

#include "kvcal/profile/metric.hpp"
#include "kvcal/profile/resources.hpp"
#include "support/task_fixture.hpp"

namespace kvcal {
namespace {

using nlohmann::json;
using test::expect_error;
using test::written;

double score(const Sample& sample, const std::string& reply) {
  return find_metric(sample.metric).score({reply, sample.references, sample.all_classes});
}

class QualityTask : public test::TaskFixture {
 protected:
  static json question(const std::string& id) {
    return {{"question_unique_id", id},
            {"question", "Why?"},
            {"options", {"a", "b", "c", "d"}},
            {"gold_label", 3},
            {"difficult", 0}};
  }
  static json line(const std::string& article, const std::string& text, json questions) {
    return {{"article_id", article}, {"article", text}, {"questions", std::move(questions)}};
  }
  static std::string file_of(const std::vector<json>& lines) {
    std::string text;
    for (const json& line : lines) text += line.dump() + "\n";
    return written("q.jsonl", text).string();
  }
  /// What is said of a line whose only question has `field` replaced, or without it when null.
  void expect_question_error(const std::string& part, const std::string& field, json value) const {
    json changed = question("x");
    if (value.is_null())
      changed.erase(field);
    else
      changed[field] = std::move(value);
    const std::string file = file_of({line("1", "T", {changed})});
    expect_error(Kind::input, "q.jsonl:1: questions[0]: field '" + part,
                 [&] { open("quality:" + file); });
  }
};

TEST_F(QualityTask, lines_of_one_article_are_merged_in_order_of_first_appearance) {
  const auto task =
      open("quality:" +
           file_of({line("2", "B", {question("x")}), line("1", "A", {question("y")}),
                    line("2", " B\n", {question("z")}), line("2", "other", {question("w")})}));
  std::vector<std::string> ids, documents;
  for (int64_t i = 0; i < task->size(); ++i) {
    ids.push_back(task->sample(i).id);
    documents.push_back(task->sample(i).document);
  }
  EXPECT_EQ(ids, (std::vector<std::string>{"x", "z", "y", "w"}));
  EXPECT_EQ(documents, (std::vector<std::string>{"2", "2", "1", "2 (2)"}));
  EXPECT_EQ(task->sample(1).context, "B");
}

TEST_F(QualityTask, options_are_lettered_and_the_label_counts_from_one) {
  const Sample sample = open("quality:" + file_of({line("1", "T", {question("x")})}))->sample(0);
  EXPECT_TRUE(sample.question.starts_with("\n\nWhy?\n\nA. a\nB. b\nC. c\nD. d\n\nAnswer"))
      << sample.question;
  EXPECT_EQ(score(sample, "The answer is C."), 1);
  EXPECT_EQ(score(sample, "B"), 0);
  EXPECT_EQ(score(sample, "E"), 0);
  EXPECT_TRUE(sample.chat);
  EXPECT_EQ(sample.max_new_tokens, 16);
}

TEST_F(QualityTask, the_hard_subset_and_the_first_articles_can_be_chosen) {
  json hard = question("h");
  hard["difficult"] = 1;
  const std::string file = file_of({line("1", "A", {question("x")}), line("2", "B", {hard})});
  EXPECT_EQ(open("quality:" + file)->size(), 2);
  const auto task = open("quality:" + file, with("subset", std::string("hard")));
  ASSERT_EQ(task->size(), 1);
  EXPECT_EQ(task->sample(0).id, "h");
  EXPECT_EQ(open("quality:" + file, with("articles", int64_t{1}))->sample(0).id, "x");
  const std::string easy = file_of({line("1", "A", {question("x")})});
  expect_error(Kind::input, "q.jsonl: no question in subset 'hard', need one",
               [&] { open("quality:" + easy, with("subset", std::string("hard"))); });
}

TEST_F(QualityTask, each_fault_is_named_with_file_line_and_field) {
  expect_error(Kind::input, "q.jsonl: empty, need", [&] { open("quality:" + file_of({})); });
  expect_error(Kind::input, "q.jsonl:1: field 'article_id' is missing", [&] {
    open("quality:" + file_of({{{"article", "x"}}}));
  });
  expect_error(Kind::input, "q.jsonl:1: field 'article' is blank",
               [&] { open("quality:" + file_of({line("1", " ", {question("x")})})); });
  expect_error(Kind::input, "q.jsonl:1: field 'questions' is missing, empty or no list",
               [&] { open("quality:" + file_of({line("1", "T", json::array())})); });
  expect_error(Kind::input, "q.jsonl:1: questions[1]: field 'question_unique_id' is 'x', which",
               [&] {
                 open("quality:" + file_of({line("1", "T", {question("x"), question("x")})}));
               });
  expect_question_error("question_unique_id' is missing", "question_unique_id", nullptr);
  expect_question_error("question' is a number", "question", 3);
  expect_question_error("options' has 3 entries, need 4", "options", {"a", "b", "c"});
  expect_question_error("options[0]' is a number", "options", {1, 2, 3, 4});
  expect_question_error("gold_label' is missing, need a whole number, 1 .. 4", "gold_label",
                        nullptr);
  expect_question_error("gold_label' is 0, need a whole number, 1 .. 4", "gold_label", 0);
  expect_question_error("gold_label' is 5,", "gold_label", 5);
  expect_question_error("gold_label' is 1.5,", "gold_label", 1.5);
  expect_question_error("difficult' is 2, need a whole number, 0 .. 1", "difficult", 2);
}

TEST_F(QualityTask, absent_data_is_named) {
  expect_error(Kind::input, "nowhere/QuALITY.v1.0.1.htmlstripped.dev",
               [&] { open("quality", with("root", std::string("/nowhere"))); });
}

TEST_F(QualityTask, our_sample_is_read_as_the_published_file_is) {
  ParamMap ours = with("root", resource("data/samples/quality").string());
  ours.merge(with("file", std::string("quality_sample.jsonl")));
  const auto task = open("quality", ours);
  ASSERT_EQ(task->size(), 5);
  EXPECT_EQ(task->sample(2).id, "90001_w3_1");
  EXPECT_EQ(task->sample(2).context, task->sample(0).context);
  EXPECT_EQ(open("quality_hard", ours)->size(), 2);
  EXPECT_EQ(open("quality_compaction", ours)->sample(0).max_new_tokens, 2048);
}

class LongHealthTask : public test::TaskFixture {
 protected:
  static json patient(const std::string& name) {
    json texts = json::object();
    for (int i : {0, 1, 2, 10}) texts["text_" + std::to_string(i)] = fmt::format("{} {}.", name, i);
    json question = {{"question", "Which?"}, {"correct", " three "}};
    const char* answers[] = {"one", "two", "three", "four", "five"};
    for (int i = 0; i < 5; ++i) question[fmt::format("answer_{:c}", 'a' + i)] = answers[i];
    return {{"texts", texts},
            {"name", name},
            {"birthday", "1970-01-01"},
            {"diagnosis", "cold"},
            {"questions", {question, question}}};
  }
  static std::string file_of(const json& root) { return written("l.json", root.dump()).string(); }
  void expect_error_of(const std::string& part, const json& root,
                       const ParamMap& params = {}) const {
    const std::string file = file_of(root);
    expect_error(Kind::input, part, [&] { open("longhealth:" + file, params); });
  }
};

TEST_F(LongHealthTask, notes_stand_in_tags_in_the_order_of_their_numbers) {
  const auto task =
      open("longhealth:" + file_of({{"canary", "x"}, {"patient_01", patient("Eva")}}));
  ASSERT_EQ(task->size(), 2);
  const Sample sample = task->sample(1);
  EXPECT_EQ(sample.id, "patient_01#2");
  EXPECT_EQ(sample.document, "patient_01");
  EXPECT_EQ(sample.context,
            "<text_0>\nEva 0.\n</text_0>\n\n<text_1>\nEva 1.\n</text_1>\n\n<text_2>\nEva 2.\n"
            "</text_2>\n\n<text_10>\nEva 10.\n</text_10>");
  EXPECT_TRUE(
      sample.question.starts_with("\n\nWhich?\n\nA. one\nB. two\nC. three\nD. four\nE. five\n\n"))
      << sample.question;
  EXPECT_EQ(score(sample, "C"), 1);
  EXPECT_EQ(score(sample, "E"), 0);
  EXPECT_EQ(sample.all_classes.size(), 5u);
}

TEST_F(LongHealthTask, patients_are_grouped_and_a_remainder_is_dropped) {
  const std::string file = file_of({{"patient_03", patient("Cid")},
                                    {"patient_01", patient("Eva")},
                                    {"patient_02", patient("Bo")}});
  EXPECT_EQ(open("longhealth:" + file)->size(), 6);
  const auto task = open("longhealth:" + file, with("patients", int64_t{2}));
  ASSERT_EQ(task->size(), 4);
  const Sample sample = task->sample(2);
  EXPECT_EQ(sample.id, "patient_02#1");
  EXPECT_EQ(sample.document, "patient_01");
  EXPECT_EQ(sample.context, task->sample(0).context);
  EXPECT_NE(sample.context.find("</text_10>\n\n<text_0>\nBo 0."), std::string::npos);
  EXPECT_TRUE(
      sample.question.starts_with("\n\nThis is about patient patient_02: name Bo, born "
                                  "1970-01-01, diagnosis cold.\n\nWhich?"))
      << sample.question;
}

TEST_F(LongHealthTask, a_right_answer_that_is_no_option_is_an_error_or_option_a) {
  json root = {{"patient_01", patient("Eva")}};
  root["patient_01"]["questions"][1]["correct"] = "six";
  expect_error_of(
      "l.json: patient_01: questions[1]: field 'correct' is 'six', which equals no option", root);
  const auto task = open("longhealth:" + file_of(root), with("unmatched", std::string("first")));
  EXPECT_EQ(task->sample(1).references, std::vector<std::string>{"A"});
}

TEST_F(LongHealthTask, each_fault_is_named_with_its_place) {
  expect_error_of("l.json: a JSON array, need an object", json::array());
  expect_error_of("l.json: 0 patients, need 1 for one document", {{"canary", "x"}});
  expect_error_of("l.json: 1 patients, need 2", {{"patient_01", patient("Eva")}},
                  with("patients", int64_t{2}));
  const std::string broken = written("l.json", "{\"patient_01\": ").string();
  expect_error(Kind::input, "l.json: not valid JSON at byte 16, need one object",
               [&] { open("longhealth:" + broken); });
  const auto with_change = [](const char* path, const json& value) {
    json root = {{"patient_01", patient("Eva")}};
    root[json::json_pointer(path)] = value;
    return root;
  };
  expect_error_of("patient_01: field 'texts' is missing",
                  with_change("/patient_01/texts", nullptr));
  expect_error_of("patient_01: texts: no notes", with_change("/patient_01/texts", json::object()));
  expect_error_of("patient_01: texts: a JSON array", with_change("/patient_01/texts", {1, 2, 3}));
  expect_error_of("texts: field 'text_1' is a number", with_change("/patient_01/texts/text_1", 3));
  expect_error_of("patient_01: field 'birthday' is blank", with_change("/patient_01/birthday", ""));
  expect_error_of("field 'questions' is missing, empty",
                  with_change("/patient_01/questions", nullptr));
  expect_error_of("questions[0]: field 'answer_e' is missing",
                  with_change("/patient_01/questions/0/answer_e", nullptr));
}

TEST_F(LongHealthTask, our_sample_is_read_as_the_published_file_is) {
  ParamMap ours = with("root", resource("data/samples/longhealth").string());
  ours.merge(with("file", std::string("longhealth_sample.json")));
  EXPECT_EQ(open("longhealth", ours)->size(), 6);
  ours.merge(with("patients", int64_t{3}));
  const auto task = open("longhealth_compaction", ours);
  ASSERT_EQ(task->size(), 6);
  EXPECT_EQ(task->sample(5).document, "patient_01");
}

}  // namespace
}  // namespace kvcal
