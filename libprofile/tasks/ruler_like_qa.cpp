// SPDX-License-Identifier: Apache-2.0
/// RULER-like questions: numbered documents in random order, one or two of which hold the answer.
///
/// Source   RULER, qa_1 (one paragraph answers) and qa_2 (two paragraphs, one leads to the other).
/// Samples  the questions of a file take turns. The other documents are drawn from the same
///          collection and the paragraphs of our evaluation essays; used up, they come again.
/// Differs  wording, paragraphs and questions are ours (data/qa), and so are the draws.
#include <algorithm>
#include <map>

#include "dataset/json_lines.hpp"
#include "kvcal/compress/error.hpp"
#include "kvcal/profile/resources.hpp"
#include "ruler/haystack.hpp"
#include "ruler/ruler_like.hpp"

namespace kvcal {
namespace {

constexpr std::string_view kName = "ruler_like_qa";
constexpr size_t kShortestEssayDocument = 200;  // bytes; leaves headings out

struct QuestionParams {
  ruler::Sizing sizing;
  std::string questions = "data/qa/one_hop.jsonl";
  std::string paragraphs = "data/qa/paragraphs.jsonl";

  QuestionParams() { sizing.max_new_tokens = 32; }
  template <class Visitor>
  void visit(Visitor& v) {
    sizing.visit(v);
    v.field("questions", questions, any(),
            "JSONL of question, answers and the ids of the paragraphs that answer");
    v.field("paragraphs", paragraphs, any(), "JSONL of id, title and text");
  }
};

struct Question {
  std::string text;
  std::vector<std::string> answers;
  std::vector<size_t> documents;  // that answer it
};

class QuestionWriter : public ruler::Writer {
 public:
  explicit QuestionWriter(const QuestionParams& params) {
    std::map<std::string, size_t> places;  // paragraph id -> document
    for (const JsonLine& line : read_json_lines(existing_or_resource(params.paragraphs))) {
      places.emplace(line.text("id"), documents_.size());
      documents_.push_back(line.text("title") + "\n" + line.text("text"));
    }
    for (const JsonLine& line : read_json_lines(existing_or_resource(params.questions))) {
      questions_.push_back(read_question(line, places));
      most_documents_ = std::max(most_documents_, questions_.back().documents.size());
    }
    for (std::string& paragraph : ruler::split_paragraphs(ruler::load_essays())) {
      if (paragraph.size() >= kShortestEssayDocument) documents_.push_back(std::move(paragraph));
    }
  }

  int64_t least_size() const override { return static_cast<int64_t>(most_documents_) + 1; }

  /// @param size  documents
  ruler::Prompt write(ruler::Dice& dice, int64_t index, int64_t size) const override {
    const Question& question = questions_[static_cast<size_t>(index) % questions_.size()];
    std::vector<size_t> chosen = question.documents;
    const auto others = draw_others(dice, question, size - static_cast<int64_t>(chosen.size()));
    chosen.insert(chosen.end(), others.begin(), others.end());
    dice.shuffle(chosen);
    ruler::Prompt prompt;
    prompt.context =
        "Use the documents below to answer a question. Give the answer only, without other "
        "words.\n\n";
    for (size_t i = 0; i < chosen.size(); ++i) {
      prompt.context += fmt::format("Document {}:\n{}\n\n", i + 1, documents_[chosen[i]]);
    }
    prompt.question = fmt::format(
        "Answer the question from the documents above. Give the answer only, without other "
        "words.\n\nQuestion: {}\n",
        question.text);
    prompt.answer_prefix = "Answer:";
    prompt.references = question.answers;
    return prompt;
  }

 private:
  static Question read_question(const JsonLine& line, const std::map<std::string, size_t>& places) {
    Question question{line.text("question"), line.texts("answers"), {}};
    require(!question.answers.empty(), Kind::input,
            "{}: field 'answers' is missing or empty, need a list of strings", line.where);
    for (const std::string& id : line.texts("paragraphs")) {
      const auto found = places.find(id);
      require(found != places.end(), Kind::input,
              "{}: field 'paragraphs' names '{}', which is no paragraph's id", line.where, id);
      question.documents.push_back(found->second);
    }
    require(!question.documents.empty(), Kind::input,
            "{}: field 'paragraphs' is missing or empty, need a list of ids", line.where);
    return question;
  }

  /// Documents that do not answer; none comes twice before all have come.
  std::vector<size_t> draw_others(ruler::Dice& dice, const Question& question,
                                  int64_t count) const {
    std::vector<size_t> all;
    for (size_t i = 0; i < documents_.size(); ++i) {
      const auto& own = question.documents;
      if (std::find(own.begin(), own.end(), i) == own.end()) all.push_back(i);
    }
    dice.shuffle(all);
    std::vector<size_t> drawn;
    for (int64_t i = 0; i < count; ++i) drawn.push_back(all[static_cast<size_t>(i) % all.size()]);
    return drawn;
  }

  std::vector<std::string> documents_;
  std::vector<Question> questions_;
  size_t most_documents_ = 0;
};

std::unique_ptr<Task> make(const TaskContext& context, const std::string& argument,
                           const ParamMap& map) {
  require(argument.empty(), Kind::config, "task {} takes no argument, got '{}'", kName, argument);
  const auto params = read_params<QuestionParams>(map);
  return ruler::make_task(context, kName, params.sizing, "ruler_string_match_part",
                          std::make_unique<QuestionWriter>(params));
}

}  // namespace

extern const TaskInfo task_ruler_like_qa = {"ruler_like_qa",
                                            "questions on numbered documents, after RULER", make,
                                            list_fields<QuestionParams>};

}  // namespace kvcal
