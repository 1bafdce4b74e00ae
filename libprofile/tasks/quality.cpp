// SPDX-License-Identifier: Apache-2.0
/// QuALITY: questions with four options on articles of 2,000 to 8,000 words.
///
/// Source   arXiv:2112.08608, the published JSONL, one line for each article and question writer;
///          prompt and choice of articles as Attention Matching's runs.
/// Samples  lines of one article are merged, articles in order of first appearance. An article is
///          one document, all its questions share it.
/// Differs  article and question are one chat turn, Attention Matching renders two; the reply is
///          greedy, theirs is sampled. By default a model answers at once; the task
///          quality_compaction lets it think for up to 2,048 tokens, as theirs.
#include <algorithm>
#include <map>

#include "dataset/benchmark_folder.hpp"
#include "dataset/json_lines.hpp"
#include "dataset/multiple_choice.hpp"
#include "kvcal/compress/error.hpp"

namespace kvcal {
namespace {

constexpr int64_t kOptions = 4;

struct QualityParams {
  std::string root;
  std::string file = "QuALITY.v1.0.1.htmlstripped.dev";
  std::string subset = "all";
  int64_t articles = 0;
  ChoiceParams choice;

  template <class Visitor>
  void visit(Visitor& v) {
    v.field("root", root, any(), "folder of the published files");
    v.field("file", file, any(), "the one of them that is read");
    v.field("subset", subset, one_of({"all", "hard"}), "hard: questions marked as difficult");
    v.field("articles", articles, at_least(0), "only the first so many articles; 0 = all");
    choice.visit(v);
  }
};

struct Article {
  std::string name, text;
  std::vector<ChoiceQuestion> questions;
};

ChoiceQuestion read_question(const JsonLine& line) {
  ChoiceQuestion question;
  question.id = line.text("question_unique_id");
  question.text = line.text("question");
  question.options = line.texts("options");
  require(question.options.size() == kOptions, Kind::input,
          "{}: field 'options' has {} entries, need {}", line.where, question.options.size(),
          kOptions);
  question.gold = static_cast<size_t>(line.whole_number("gold_label", 1, kOptions) - 1);
  return question;
}

class Quality : public Task {
 public:
  Quality(const std::string& file, const QualityParams& params) : params_(params) {
    std::map<std::pair<std::string, std::string>, size_t> places;  // id, text -> article
    std::map<std::string, std::string> seen;                       // question id -> where
    for (const JsonLine& line : read_json_lines(file)) {
      const std::string id = line.text("article_id"), text = line.filled_text("article");
      const auto [place, is_new] = places.emplace(std::pair(id, text), articles_.size());
      if (is_new) articles_.push_back({document_name(id), text, {}});
      for (const JsonLine& question : line.objects("questions")) {
        add_question(question, articles_[place->second], seen);
      }
    }
    const auto most = static_cast<size_t>(params.articles);
    if (most > 0 && most < articles_.size()) articles_.resize(most);
    for (size_t a = 0; a < articles_.size(); ++a) {
      for (size_t q = 0; q < articles_[a].questions.size(); ++q) samples_.emplace_back(a, q);
    }
    require(!samples_.empty(), Kind::input, "{}: no question in subset '{}', need one", file,
            params.subset);
  }

  int64_t size() const override { return static_cast<int64_t>(samples_.size()); }

  Sample sample(int64_t index) const override {
    require(index >= 0 && index < size(), Kind::internal, "quality sample {}, need 0 .. {}", index,
            size() - 1);
    const auto [a, q] = samples_[static_cast<size_t>(index)];
    Sample sample = choice_sample(articles_[a].questions[q], params_.choice);
    sample.context = articles_[a].text;
    sample.document = articles_[a].name;
    return sample;
  }

 private:
  void add_question(const JsonLine& line, Article& article,
                    std::map<std::string, std::string>& seen) const {
    ChoiceQuestion question = read_question(line);
    const auto [first, is_new] = seen.emplace(question.id, line.where);
    require(is_new, Kind::input, "{}: field 'question_unique_id' is '{}', which {} has already",
            line.where, question.id, first->second);
    const bool is_hard = line.whole_number("difficult", 0, 1) == 1;
    if (is_hard || params_.subset == "all") article.questions.push_back(std::move(question));
  }

  /// Another text under an id that was seen is another document.
  std::string document_name(const std::string& id) const {
    const auto same = std::count_if(articles_.begin(), articles_.end(), [&](const Article& a) {
      return a.name == id || a.name.starts_with(id + " (");
    });
    return same == 0 ? id : fmt::format("{} ({})", id, same + 1);
  }

  QualityParams params_;
  std::vector<Article> articles_;
  std::vector<std::pair<size_t, size_t>> samples_;  // article, question in it
};

std::filesystem::path folder_of(const QualityParams& params) {
  return benchmark_folder("quality", params.root);
}

DataPlace locate(const std::string&, const ParamMap& map) {
  const auto params = read_params<QualityParams>(map);
  return locate_benchmark(folder_of(params), {params.file});
}

std::unique_ptr<Task> make(const TaskContext&, const std::string& argument, const ParamMap& map) {
  const auto params = read_params<QualityParams>(map);
  if (!argument.empty()) return std::make_unique<Quality>(argument, params);
  require_benchmark(locate(argument, map), "quality");
  return std::make_unique<Quality>((folder_of(params) / params.file).string(), params);
}

}  // namespace

extern const TaskInfo task_quality = {
    "quality", "questions with four options on long articles (QuALITY): quality:FILE", make,
    list_fields<QualityParams>, locate};

}  // namespace kvcal
