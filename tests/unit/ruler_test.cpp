// SPDX-License-Identifier: Apache-2.0
// Reader of RULER's files.
#include "kvcal/profile/metric.hpp"
#include "kvcal/profile/resources.hpp"
#include "ruler/kinds.hpp"
#include "support/task_fixture.hpp"

namespace kvcal {
namespace {

namespace fs = std::filesystem;
using test::expect_error;
using test::written;

class RulerTask : public test::TaskFixture {
 protected:
  std::unique_ptr<Task> open_lines(const std::string& lines, const ParamMap& params = {}) const {
    return open("ruler:" + written("vt_512.jsonl", lines).string(), params);
  }
  void expect_input_error(const std::string& part, const std::string& line) const {
    SCOPED_TRACE(line);
    expect_error(Kind::input, part, [&] { open_lines(line); });
  }
};

constexpr const char* kTracing =
    R"({"index": 7, "input": "VAR A = 1\nQuestion: Find all variables of 1. Answer: A\n)"
    R"(VAR B = 2\nQuestion: Find all variables of 2. Answer: they are:", "outputs": ["B"]})";

TEST_F(RulerTask, a_prompt_is_cut_at_its_last_question_and_nothing_is_lost) {
  const Sample sample = open_lines(kTracing)->sample(0);
  EXPECT_EQ(sample.id, "7");
  EXPECT_EQ(sample.context, "VAR A = 1\nQuestion: Find all variables of 1. Answer: A\nVAR B = 2\n");
  EXPECT_EQ(sample.question, "Question: Find all variables of 2. ");
  EXPECT_EQ(sample.answer_prefix, "Answer: they are:");
  EXPECT_EQ(sample.references, std::vector<std::string>{"B"});
  EXPECT_EQ(sample.metric, "ruler_string_match_all");
  EXPECT_EQ(sample.max_new_tokens, 30);
  EXPECT_FALSE(sample.chat);
}

TEST_F(RulerTask, replies_and_scoring_of_the_peers_can_be_chosen) {
  const Sample sample =
      open_lines(kTracing, with("new_tokens", std::string("kvcache_factory")))->sample(0);
  EXPECT_EQ(sample.max_new_tokens, 64);
  EXPECT_EQ(open_lines(kTracing, with("scoring", std::string("kvpress")))->sample(0).metric,
            "ruler_string_match_all_kvpress");
  const Sample whole = open_lines(kTracing, with("is_split", false))->sample(0);
  EXPECT_TRUE(whole.context.ends_with("Answer: they are:"));
  EXPECT_EQ(whole.question + whole.answer_prefix, "");
  expect_error(Kind::config, "new_tokens = kvcache_factory, which does not run qa_1", [&] {
    ParamMap params = with("new_tokens", std::string("kvcache_factory"));
    params.merge(with("kind", std::string("qa_1")));
    open_lines(kTracing, params);
  });
}

TEST_F(RulerTask, a_prompt_that_is_too_long_loses_its_middle_and_keeps_its_ends) {
  // A token is a byte here: 55 from either end.
  const Sample cut = open_lines(kTracing, with("max_length", int64_t{110}))->sample(0);
  EXPECT_EQ(cut.context + cut.question + cut.answer_prefix,
            "VAR A = 1\nQuestion: Find all variables of 1. Answer: A\n"
            " 2\nQuestion: Find all variables of 2. Answer: they are:");
  EXPECT_EQ(cut.question, "Question: Find all variables of 2. ");
  const Sample whole = open_lines(kTracing, with("max_length", int64_t{1000}))->sample(0);
  EXPECT_EQ(whole.context, open_lines(kTracing)->sample(0).context);
  expect_error(Kind::input, "field 'input' has no",
               [&] { open_lines(kTracing, with("max_length", int64_t{20})); });
}

TEST_F(RulerTask, the_kind_comes_from_the_file_or_its_folder) {
  EXPECT_EQ(ruler::kind_of_file("x/niah_single_1_4096.jsonl")->name, "niah_single_1");
  EXPECT_EQ(ruler::kind_of_file("x/cwe.jsonl")->name, "cwe");
  EXPECT_EQ(ruler::kind_of_file("qa_2/validation.jsonl")->name, "qa_2");
  EXPECT_EQ(ruler::kind_of_file("x/qa_20.jsonl"), nullptr);
  const std::string file = written("mine.jsonl", kTracing).string();
  EXPECT_EQ(open("ruler:" + file, with("kind", std::string("vt")))->size(), 1);
  expect_error(Kind::config, "mine.jsonl nor its folder's starts with a kind (niah_single_1, ",
               [&] { open("ruler:" + file); });
  expect_error(Kind::config, "ruler: kind = 'vr', did you mean 'vt'?",
               [&] { open("ruler:" + file, with("kind", std::string("vr"))); });
}

TEST_F(RulerTask, each_fault_is_named_with_file_line_and_field) {
  expect_error(Kind::config, "task ruler needs a file: ruler:FILE", [&] { open("ruler"); });
  expect_input_error("vt_512.jsonl: empty, need", "");
  expect_input_error("vt_512.jsonl:1: field 'index' is missing", R"({"input": "x"})");
  expect_input_error("vt_512.jsonl:1: field 'index' is missing or no whole", R"({"index": "1"})");
  expect_input_error("vt_512.jsonl:1: field 'outputs' is missing or empty", R"({"index": 1})");
  expect_input_error("field 'outputs' is a string", R"({"index": 1, "outputs": "x"})");
  expect_input_error("field 'input' is missing", R"({"index": 1, "outputs": ["x"]})");
  expect_input_error("field 'input' is a number", R"({"index": 1, "outputs": ["x"], "input": 1})");
  expect_input_error("field 'input' has no 'Question: Find all variables' behind a context (vt)",
                     R"({"index": 1, "outputs": ["x"], "input": "Question: Find all variables"})");
  expect_input_error(
      "field 'input' has no 'Answer:' behind its question (vt), need it in a prompt of this kind, "
      "or is_split=false",
      R"({"index": 1, "outputs": ["x"], "input": "A Answer: Question: Find all variables"})");
  expect_input_error("vt_512.jsonl:2: field 'index' is 7, which",
                     std::string(kTracing) + "\n" + kTracing);
}

TEST_F(RulerTask, our_samples_of_every_shape_are_cut_and_answered_by_their_references) {
  int files = 0;
  for (const auto& entry : fs::directory_iterator(resource("data/samples/ruler"))) {
    const auto task = open("ruler:" + entry.path().string());
    for (int64_t i = 0; i < task->size(); ++i) {
      const Sample sample = task->sample(i);
      EXPECT_FALSE(sample.question.empty() || sample.answer_prefix.empty()) << entry.path();
      std::string reply = "It is";
      for (const auto& reference : sample.references) reply += " " + reference;
      const auto& metric = find_metric(sample.metric);
      EXPECT_EQ(metric.score({reply, sample.references, {}}), 100) << entry.path();
      EXPECT_EQ(metric.score({"?", sample.references, {}}), 0) << entry.path();
    }
    ++files;
  }
  EXPECT_EQ(files, 5);
}

TEST_F(RulerTask, a_published_file_is_cut_so_that_the_whole_is_the_input) {
  const auto file = test::external_data("ruler/niah_multikey_3_4096.jsonl");
  KVCAL_SKIP_IF_ABSENT(file, "a published RULER file");
  const auto task = open("ruler:" + file.string());
  const auto whole = open("ruler:" + file.string(), with("is_split", false));
  ASSERT_EQ(task->size(), 100);
  for (int64_t i = 0; i < task->size(); ++i) {
    const Sample sample = task->sample(i);
    EXPECT_EQ(sample.context + sample.question + sample.answer_prefix, whole->sample(i).context);
    EXPECT_TRUE(sample.question.starts_with("What is the special magic uuid for ")) << i;
    EXPECT_TRUE(sample.answer_prefix.starts_with("The special magic uuid for ")) << i;
    EXPECT_NE(sample.context.find(sample.references.at(0)), std::string::npos) << i;
  }
}

}  // namespace
}  // namespace kvcal
