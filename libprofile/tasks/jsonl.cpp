// SPDX-License-Identifier: Apache-2.0
/// The user's own samples, `jsonl:FILE`, one object a line:
///   {"id", "context", "questions": [{"question", "answers": [...]}], "metric"}   or
///   {"id", "prompt", "answers": [...], "metric"}
/// and in both, optional: max_new_tokens, chat, all_classes. Fields of other names are left alone.
/// Samples  one for each question, in file order, named `id` or, with several questions, `id#1`,
/// `id#2`.
#include <map>

#include "dataset/json_lines.hpp"
#include "kvcal/compress/error.hpp"
#include "kvcal/profile/metric.hpp"
#include "kvcal/profile/task.hpp"

namespace kvcal {
namespace {

constexpr std::string_view kQuestionMark = "{question}";
constexpr int64_t kMostNewTokens = 1 << 20;

struct JsonlParams {
  std::string question_format = "\n\n{question}";

  template <class Visitor>
  void visit(Visitor& v) {
    v.field("question_format", question_format, any(),
            "text after the context, with {question} in it; not for lines with a prompt");
  }
};

int64_t max_new_tokens(const JsonLine& line, int64_t fallback) {
  const auto found = line.object.find("max_new_tokens");
  if (found == line.object.end() || found->is_null()) return fallback;
  const bool is_valid = found->is_number_integer() && *found >= 1 && *found <= kMostNewTokens;
  require(is_valid, Kind::input, "{}: field 'max_new_tokens' is {}, need a whole number, 1 .. {}",
          line.where, found->dump(-1, ' ', true, nlohmann::json::error_handler_t::replace),
          kMostNewTokens);
  return found->get<int64_t>();
}

bool is_chat(const JsonLine& line, bool fallback) {
  const auto found = line.object.find("chat");
  if (found == line.object.end() || found->is_null()) return fallback;
  require(found->is_boolean(), Kind::input, "{}: field 'chat' is a {}, need true or false",
          line.where, found->type_name());
  return found->get<bool>();
}

std::vector<std::string> answers(const JsonLine& line) {
  std::vector<std::string> answers = line.texts("answers");
  require(!answers.empty(), Kind::input,
          "{}: field 'answers' is missing or empty, need a list of at least one string",
          line.where);
  return answers;
}

std::string metric_name(const JsonLine& line) {
  const std::string name = line.text("metric");
  try {
    find_metric(name);
  } catch (const Error& error) {  // A wrong name in a dataset is wrong data; say where.
    fail(Kind::input, "{}: field 'metric': {}", line.where, error.what());
  }
  return name;
}

/// A line and the questions it asks; the context is held once.
struct Entry {
  std::string id, context;
  std::vector<std::string> questions;
  std::vector<std::vector<std::string>> answers;  // [questions][references]
  std::vector<std::string> all_classes;
  std::string metric;
  int64_t max_new_tokens;
  bool chat;
};

Entry read_common(const JsonLine& line) {
  Entry entry;
  entry.id = line.text("id");
  require(!entry.id.empty(), Kind::input, "{}: field 'id' is empty, need a name", line.where);
  entry.metric = metric_name(line);
  entry.all_classes = line.texts("all_classes");
  entry.max_new_tokens = max_new_tokens(line, 64);
  entry.chat = is_chat(line, true);
  return entry;
}

void read_questions(const JsonLine& line, const std::string& question_format, Entry& entry) {
  for (const JsonLine& question : line.objects("questions")) {
    std::string text = question_format;
    entry.questions.push_back(
        text.replace(text.find(kQuestionMark), kQuestionMark.size(), question.text("question")));
    entry.answers.push_back(answers(question));
  }
}

Entry read_entry(const JsonLine& line, const JsonlParams& params) {
  const bool has_prompt = line.object.contains("prompt"),
             has_context = line.object.contains("context");
  require(has_prompt != has_context, Kind::input,
          "{}: {} of the fields 'prompt' and 'context', need one: 'prompt' with 'answers', or "
          "'context' "
          "with 'questions'",
          line.where, has_prompt ? "both" : "none");
  Entry entry = read_common(line);
  if (has_prompt) {
    entry.context = line.text("prompt");
    entry.questions = {""};
    entry.answers = {answers(line)};
  } else {
    entry.context = line.text("context");
    read_questions(line, params.question_format, entry);
  }
  const bool is_blank = entry.context.find_first_not_of(" \t\r\n") == std::string::npos;
  require(!is_blank, Kind::input, "{}: field '{}' is blank, need text", line.where,
          has_prompt ? "prompt" : "context");
  return entry;
}

class Jsonl : public Task {
 public:
  Jsonl(const std::string& file, const JsonlParams& params) {
    require(params.question_format.find(kQuestionMark) != std::string::npos, Kind::config,
            "jsonl: question_format = '{}', need {} somewhere in it", params.question_format,
            kQuestionMark);
    std::map<std::string, std::string> seen;  // sample id -> where
    for (const JsonLine& line : read_json_lines(file)) {
      entries_.push_back(read_entry(line, params));
      const size_t entry = entries_.size() - 1;
      for (size_t k = 0; k < entries_[entry].questions.size(); ++k) {
        const auto [first, is_new] = seen.emplace(sample_id(entry, k), line.where);
        require(is_new, Kind::input, "{}: field 'id' gives '{}', which {} has already", line.where,
                sample_id(entry, k), first->second);
        questions_.emplace_back(entry, k);
      }
    }
  }

  int64_t size() const override { return static_cast<int64_t>(questions_.size()); }

  Sample sample(int64_t index) const override {
    require(index >= 0 && index < size(), Kind::internal, "jsonl sample {}, need 0 .. {}", index,
            size() - 1);
    const auto [number, k] = questions_[static_cast<size_t>(index)];
    const Entry& entry = entries_[number];
    Sample sample;
    sample.id = sample_id(number, k);
    sample.document = entry.questions.size() > 1 ? entry.id : "";
    sample.context = entry.context;
    sample.question = entry.questions[k];
    sample.references = entry.answers[k];
    sample.all_classes = entry.all_classes;
    sample.metric = entry.metric;
    sample.max_new_tokens = entry.max_new_tokens;
    sample.chat = entry.chat;
    return sample;
  }

 private:
  std::string sample_id(size_t entry, size_t k) const {
    const bool is_single = entries_[entry].questions.size() == 1;
    return is_single ? entries_[entry].id : fmt::format("{}#{}", entries_[entry].id, k + 1);
  }

  std::vector<Entry> entries_;
  std::vector<std::pair<size_t, size_t>> questions_;  // sample -> entry, question in it
};

std::unique_ptr<Task> make(const TaskContext&, const std::string& argument,
                           const ParamMap& params) {
  require(!argument.empty(), Kind::config, "task jsonl needs a file: jsonl:FILE");
  return std::make_unique<Jsonl>(argument, read_params<JsonlParams>(params));
}

}  // namespace

extern const TaskInfo task_jsonl = {"jsonl", "samples from a file: jsonl:FILE", make,
                                    list_fields<JsonlParams>};

}  // namespace kvcal
