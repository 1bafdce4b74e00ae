// SPDX-License-Identifier: Apache-2.0
#include "kvcal/profile/task.hpp"

#include <gtest/gtest.h>

#include <fstream>
#include <random>
#include <set>

#include "dataset/benchmark_folder.hpp"
#include "kvcal/compress/error.hpp"
#include "kvcal/profile/needle.hpp"
#include "kvcal/profile/resources.hpp"
#include "support/task_fixture.hpp"

// The fuzz target runs here too, over a few hundred damaged files.
#define LLVMFuzzerTestOneInput fuzz_jsonl_task
#include "fuzz/jsonl_task_fuzz.cpp"
#undef LLVMFuzzerTestOneInput

namespace kvcal {
namespace {

namespace fs = std::filesystem;

using test::expect_error;
using test::written;

class TaskTest : public test::TaskFixture {
 protected:
  std::unique_ptr<Task> open_lines(const std::string& lines) const {
    return open("jsonl:" + written("d.jsonl", lines).string());
  }
  void expect_input_error(const std::string& part, const std::string& lines) const {
    SCOPED_TRACE(lines);
    expect_error(Kind::input, part, [&] { open_lines(lines); });
  }
};

using JsonlTask = TaskTest;
using NiahTask = TaskTest;
using OpenTask = TaskTest;

constexpr const char* kPrompt =
    R"({"id": "p", "prompt": "Say x.", "answers": ["x"], "metric": "qa_f1_score"})";
constexpr const char* kQuestions =
    R"({"id": "q", "context": "Text.", "questions": [{"question": "A?", "answers": ["a", "b"]},)"
    R"( {"question": "C?", "answers": ["c"]}], "metric": "rouge_score", "max_new_tokens": 7, "chat": false,)"
    R"( "all_classes": ["k"], "source": 1})";

TEST_F(JsonlTask, reads_prompts_with_defaults) {
  const auto task = open_lines(std::string(kPrompt) + "\r\n\n");
  ASSERT_EQ(task->size(), 1);
  const Sample sample = task->sample(0);
  EXPECT_EQ(sample.id, "p");
  EXPECT_EQ(sample.document, "");
  EXPECT_EQ(sample.context + sample.question, "Say x.");
  EXPECT_EQ(sample.references, std::vector<std::string>{"x"});
  EXPECT_EQ(sample.metric, "qa_f1_score");
  EXPECT_EQ(sample.max_new_tokens, 64);
  EXPECT_TRUE(sample.chat);
}

TEST_F(JsonlTask, questions_of_one_line_share_their_document) {
  const auto task = open_lines(std::string(kQuestions) + "\n" + kPrompt);
  ASSERT_EQ(task->size(), 3);
  const Sample first = task->sample(0), second = task->sample(1);
  EXPECT_EQ(first.id, "q#1");
  EXPECT_EQ(second.id, "q#2");
  EXPECT_EQ(first.document, "q");
  EXPECT_EQ(second.document, "q");
  EXPECT_EQ(second.context + second.question, "Text.\n\nC?");
  EXPECT_EQ(first.references, (std::vector<std::string>{"a", "b"}));
  EXPECT_EQ(first.all_classes, std::vector<std::string>{"k"});
  EXPECT_EQ(first.max_new_tokens, 7);
  EXPECT_FALSE(first.chat);
  EXPECT_EQ(task->sample(2).id, "p");
}

TEST_F(JsonlTask, each_fault_is_named_with_file_line_and_field) {
  const std::string good = std::string(kPrompt) + "\n";
  expect_input_error("d.jsonl: empty, need at least one JSON object", "");
  expect_input_error("d.jsonl:2: not valid JSON at column 2", good + "{,}");
  expect_input_error("d.jsonl:1: a JSON array, need an object", "[1]");
  expect_input_error("d.jsonl:2: field 'id' gives 'p', which", good + good);
  expect_input_error("d.jsonl:1: none of the fields 'prompt' and 'context', need one",
                     R"({"id": "a"})");
  expect_input_error("d.jsonl:1: both of the fields 'prompt' and 'context'",
                     R"({"prompt": "a", "context": "b"})");
  expect_input_error("d.jsonl:1: field 'id' is missing, need a string", R"({"prompt": "a"})");
  expect_input_error("d.jsonl:1: field 'metric' is missing", R"({"id": "a", "prompt": "a"})");
  expect_input_error(
      "d.jsonl:1: field 'metric': no metric 'qa_f1_scores', did you mean 'qa_f1_score'?",
      R"({"id": "a", "prompt": "a", "metric": "qa_f1_scores"})");
  const std::string head = R"({"id": "a", "metric": "qa_f1_score", )";
  expect_input_error("d.jsonl:1: field 'prompt' is a number, need a string",
                     head + R"("prompt": 3})");
  expect_input_error("d.jsonl:1: field 'prompt' is blank",
                     head + R"("prompt": " ", "answers": ["x"]})");
  expect_input_error("d.jsonl:1: field 'answers' is missing or empty", head + R"("prompt": "a"})");
  expect_input_error("d.jsonl:1: field 'answers' is a string, need a list of strings",
                     head + R"("prompt": "a", "answers": "x"})");
  expect_input_error("d.jsonl:1: field 'answers[1]' is a number, need a string",
                     head + R"("prompt": "a", "answers": ["x", 1]})");
  expect_input_error("d.jsonl:1: field 'questions' is missing, empty or no list",
                     head + R"("context": "a"})");
  expect_input_error("d.jsonl:1: questions[0]: field 'question' is missing",
                     head + R"("context": "a", "questions": [{"answers": ["x"]}]})");
  expect_input_error("d.jsonl:1: questions[0]: a JSON string, need an object",
                     head + R"("context": "a", "questions": ["x"]})");
  expect_input_error("d.jsonl:1: field 'max_new_tokens' is 0, need a whole number, 1 ..",
                     head + R"("prompt": "a", "answers": ["x"], "max_new_tokens": 0})");
  expect_input_error("d.jsonl:1: field 'max_new_tokens' is 1.5",
                     head + R"("prompt": "a", "answers": ["x"], "max_new_tokens": 1.5})");
  expect_input_error("d.jsonl:1: field 'chat' is a string, need true or false",
                     head + R"("prompt": "a", "answers": ["x"], "chat": "no"})");
}

TEST_F(JsonlTask, a_missing_file_and_a_missing_argument_are_told_apart) {
  expect_error(Kind::input, "no/such.jsonl: cannot be read, need a JSONL file",
               [&] { open("jsonl:no/such.jsonl"); });
  expect_error(Kind::config, "task jsonl needs a file: jsonl:FILE", [&] { open("jsonl"); });
}

TEST_F(JsonlTask, our_own_samples_are_readable) {
  for (const char* name : {"data/samples/prompts.jsonl", "data/samples/questions.jsonl"}) {
    EXPECT_GT(open("jsonl:" + resource(name).string())->size(), 0);
  }
}

TEST_F(JsonlTask, damaged_lines_never_do_more_than_one_input_error) {
  const std::string whole = std::string(kQuestions) + "\n" + kPrompt + "\n";
  std::mt19937 random(20240607);  // NOLINT: the same damage every time
  for (int round = 0; round < 400; ++round) {
    std::string damaged = whole;
    for (int hits = 0; hits < 1 + round % 4; ++hits) {
      const size_t at = random() % damaged.size();
      const size_t kind = random() % 3;
      if (kind == 0) damaged[at] = static_cast<char>(random());
      if (kind == 1) damaged.erase(at, 1 + random() % 8);
      if (kind == 2) damaged.insert(at, 1, "{}[]\",:0\\\n"[random() % 10]);
      if (damaged.empty()) break;
    }
    EXPECT_NO_THROW(
        fuzz_jsonl_task(reinterpret_cast<const uint8_t*>(damaged.data()), damaged.size()))
        << damaged;
  }
}

TEST_F(NiahTask, covers_the_grid_and_keeps_the_lengths) {
  const auto task = open("niah_quick");
  ASSERT_EQ(task->size(), 18);
  std::set<std::string> ids, contexts;
  for (int64_t i = 0; i < task->size(); ++i) {
    const Sample sample = task->sample(i);
    ids.insert(sample.id);
    contexts.insert(sample.context);
    EXPECT_LE(tokenizer.encode(sample.context).size(), sample.length - 200);
    EXPECT_GT(tokenizer.encode(sample.context).size(), 0u);
    ASSERT_EQ(sample.references.size(), 1u);
    EXPECT_NE(sample.context.find(sample.references[0]), std::string::npos);
    EXPECT_EQ(sample.document, "");
    EXPECT_EQ(sample.metric, "niah_rouge1_recall");
  }
  EXPECT_EQ(ids.size(), 18u);
  EXPECT_EQ(contexts.size(), 18u);
  EXPECT_EQ(task->sample(0).length, 1000);
  EXPECT_EQ(task->sample(5).depth, 0.1);
  EXPECT_EQ(task->sample(4).id.substr(0, 10), "l2000-d50-");
}

TEST_F(NiahTask, neighbours_of_a_length_share_the_text_above_the_shallower_needle) {
  const auto task = open("niah_quick");
  const Sample deep = task->sample(3), shallow = task->sample(4);
  ASSERT_EQ(deep.length, shallow.length);
  ASSERT_GT(deep.depth, shallow.depth);
  const auto differs = std::mismatch(deep.context.begin(), deep.context.end(),
                                     shallow.context.begin(), shallow.context.end());
  const auto shared = static_cast<double>(differs.first - deep.context.begin());
  EXPECT_GT(shared, 0.6 * shallow.depth * static_cast<double>(deep.context.size()));
}

TEST_F(NiahTask, the_same_index_and_seed_give_the_same_sample) {
  const Sample a = open("niah_quick")->sample(3), b = open("niah_quick")->sample(3);
  EXPECT_EQ(a.context, b.context);
  context.seed = 1;
  EXPECT_NE(open("niah_quick")->sample(3).context, a.context);
}

TEST_F(NiahTask, paraphrased_questions_replace_the_lexical_ones) {
  const ParamMap quick = {{"lengths", {std::vector<double>{500}, "--lengths"}}};
  const Sample plain = open("niah", quick)->sample(0),
               other = open("niah_paraphrased", quick)->sample(0);
  EXPECT_EQ(plain.context, other.context);
  EXPECT_NE(plain.question, other.question);
}

TEST_F(NiahTask, decoys_stand_beside_the_needle_and_leave_the_prefix_shared) {
  const auto task = open("niah_decoy", with("lengths", std::vector<double>{1500}));
  const auto needles = load_needles(resource("data/needles/evaluation.jsonl"));
  const Sample deep = task->sample(0), shallow = task->sample(1);
  ASSERT_GT(deep.depth, shallow.depth);
  for (const Sample& sample : {deep, shallow}) {
    const Needle& needle = needles.front();
    EXPECT_EQ(sample.references, std::vector<std::string>{needle.answer});
    EXPECT_LE(tokenizer.encode(sample.context).size(), 1300u);
    ASSERT_EQ(needle.decoys.size(), 3u);
    for (const auto& text : needle.decoys) {
      EXPECT_NE(sample.context.find("\n\n" + text), std::string::npos) << text;
      EXPECT_EQ(text.find(needle.answer), std::string::npos);
    }
  }
  const auto differs = std::mismatch(deep.context.begin(), deep.context.end(),
                                     shallow.context.begin(), shallow.context.end());
  const auto shared = static_cast<size_t>(differs.first - deep.context.begin());
  EXPECT_GE(shared + 2, shallow.context.find(needles.front().needle));
}

TEST_F(NiahTask, several_needles_are_hidden_and_asked_at_once) {
  const auto lengths = with("lengths", std::vector<double>{1500});
  const Sample one = open("niah_multikey", lengths)->sample(2),
               two = open("niah_multiquery", lengths)->sample(2);
  EXPECT_EQ(one.context, two.context);
  const auto needles = load_needles(resource("data/needles/evaluation.jsonl"));
  for (size_t i = 0; i < needles.size(); ++i) {
    EXPECT_EQ(one.context.find(needles[i].needle) != std::string::npos, i < 4) << needles[i].id;
  }
  EXPECT_EQ(one.references, std::vector<std::string>{needles[0].answer});
  EXPECT_EQ(two.references, std::vector<std::string>{needles[0].answer + "\n" + needles[1].answer});
  EXPECT_NE(two.question.find(needles[0].question + " " + needles[1].question), std::string::npos);
}

TEST_F(NiahTask, others_that_cannot_be_placed_are_named) {
  expect_error(Kind::config, "niah: needles_per_context = 99, but data/needles/",
               [&] { open("niah", with("needles_per_context", int64_t{99})); });
  expect_error(Kind::config, "niah: asked_needles = 2, need 1 .. 1 (needles_per_context)",
               [&] { open("niah", with("asked_needles", int64_t{2})); });
  expect_error(Kind::config, "niah: placement = compresskv places one needle",
               [&] { open("niah_decoy", with("placement", std::string("compresskv"))); });
  expect_error(Kind::input, "needle 'tarle' has 3 decoys, need 4 for decoys: 4",
               [&] { open("niah", with("decoys", int64_t{4})); });
}

TEST_F(NiahTask, a_length_beyond_the_model_names_both_numbers) {
  context.max_tokens = 2048;
  expect_error(Kind::config,
               "tokens with question, chat format and 48 new tokens, but the model takes 2048",
               [&] { open("niah"); });
  expect_error(Kind::config, "niah: length 4000 needs ", [&] { open("niah"); });
}

TEST_F(NiahTask, wrong_params_are_config_errors) {
  const auto set = [&](const std::string& name, ParamValue value) {
    open("niah", with(name, std::move(value)));
  };
  expect_error(Kind::config, "depths = [1.5], need 0 .. 1",
               [&] { set("depths", std::vector<double>{1.5}); });
  expect_error(Kind::config, "lengths lists 1000 twice", [&] {
    set("lengths", std::vector<double>{1000, 1000});
  });
  expect_error(Kind::config, "lengths lists 1000.5, need whole numbers",
               [&] { set("lengths", std::vector<double>{1000.5}); });
  expect_error(Kind::config, "needles_per_cell = 99, but data/needles/evaluation.jsonl has only ",
               [&] { set("needles_per_cell", int64_t{99}); });
  expect_error(Kind::config, "no metric 'x'", [&] { set("metric", std::string("x")); });
  expect_error(Kind::config, "need {question} somewhere in it",
               [&] { set("instruction", std::string("Answer.")); });
  expect_error(Kind::config, "task 'niah' has no parameter 'length', did you mean 'lengths'?",
               [&] { set("length", int64_t{3}); });
  expect_error(Kind::config, "task niah takes no argument, got 'x'", [&] { open("niah:x"); });
}

TEST_F(OpenTask, unknown_names_list_the_known_and_the_nearest) {
  expect_error(Kind::config, "no task 'niahh', did you mean 'niah'? (known: jsonl, ",
               [&] { open("niahh"); });
  expect_error(Kind::config, "no task 'jsnl', did you mean 'jsonl'?", [&] { open("jsnl:x"); });
  expect_error(Kind::config, "no task ''", [&] { open(""); });
  expect_error(Kind::config, "no task '../x'", [&] { open("../x"); });
}

TEST_F(OpenTask, a_yaml_of_the_users_own_is_read_strictly) {
  const auto own = written("own.yaml", "task: niah\nparams:\n  lengths: [600]\n  depths: [0]\n");
  EXPECT_EQ(open(own.string())->size(), 2);
  const auto wrong = written("wrong.yaml", "task: niah\nparam:\n  lengths: [600]\n");
  expect_error(Kind::config, "unknown key 'param'", [&] { open(wrong.string()); });
  const auto other = written("other.yaml", "task: niha\n");
  expect_error(Kind::config, "other.yaml:1: task = niha, need one of jsonl, ",
               [&] { open(other.string()); });
  expect_error(Kind::config, ", did you mean 'niah'?", [&] { open(other.string()); });
  expect_error(Kind::config, "none.yaml cannot be read", [&] { open("none.yaml"); });
}

TEST_F(OpenTask, every_configured_task_opens) {
  for (const KnownTask& task : known_tasks()) {
    if (task.data && !task.data->is_found) continue;
    // Its words take more than the default length when each byte is a token.
    const bool is_long = task.name == "ruler_like:cwe";
    const ParamMap params = is_long ? with("length_tokens", int64_t{8000}) : ParamMap();
    EXPECT_GT(open(task.name, params)->size(), 0) << task.name;
  }
}

TEST_F(OpenTask, data_that_the_user_brings_is_looked_for_file_by_file) {
  const fs::path folder = test::scratch_dir();
  std::ofstream(folder / "a.jsonl") << "x";
  EXPECT_TRUE(locate_benchmark(folder, {"a.jsonl"}).is_found);
  const DataPlace absent = locate_benchmark(folder, {"a.jsonl", "b.jsonl"});
  EXPECT_FALSE(absent.is_found);
  EXPECT_EQ(absent.text, "no " + (folder / "b.jsonl").string());
  expect_error(Kind::input, "b.jsonl; name its folder by --task-param root=DIR or put it at ",
               [&] { require_benchmark(absent, "longbench"); });
}

TEST_F(OpenTask, a_benchmark_lies_where_it_is_named_or_below_one_folder_for_all) {
  ASSERT_EQ(setenv("KVCAL_BENCHMARKS", "/all", 1), 0);
  EXPECT_EQ(benchmark_folder("ruler", ""), "/all/ruler");
  EXPECT_EQ(benchmark_folder("ruler", "/own"), "/own");
  unsetenv("KVCAL_BENCHMARKS");
  EXPECT_EQ(benchmark_folder("ruler", ""), resource("data").parent_path() / "data/ruler");
  EXPECT_EQ(benchmark_folder("ruler", "data/needles"), "data/needles");
}

}  // namespace
}  // namespace kvcal
