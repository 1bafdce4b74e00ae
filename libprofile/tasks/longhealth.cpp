// SPDX-License-Identifier: Apache-2.0
/// LongHealth: questions with five options on the notes of a patient, or of several.
///
/// Source   arXiv:2401.14490, the published JSON object of patients; prompt and grouping as
///          Attention Matching's runs.
/// Samples  patients sorted by id, `patients` of them a document, a remainder dropped. Notes in the
///          order of their numbers, each in a pair of tags named after its key. With several
///          patients a question begins with the facts that say whom it is about.
/// Differs  one chat turn and a greedy reply, as in quality.cpp. A right answer that equals no
///          option is an error; Attention Matching takes option A (`unmatched: first`).
#include <algorithm>
#include <map>

#include "dataset/benchmark_folder.hpp"
#include "dataset/json_lines.hpp"
#include "dataset/multiple_choice.hpp"
#include "kvcal/compress/error.hpp"

namespace kvcal {
namespace {

constexpr std::string_view kLetters = "abcde";

struct LongHealthParams {
  std::string root;
  std::string file = "benchmark_v5.json";
  int64_t patients = 1;
  std::string unmatched = "error";
  ChoiceParams choice;

  template <class Visitor>
  void visit(Visitor& v) {
    v.field("root", root, any(), "folder of the published file");
    v.field("file", file, any(), "its name");
    v.field("patients", patients, at_least(1), "whose notes make up a document");
    v.field("unmatched", unmatched, one_of({"error", "first"}),
            "a right answer that equals no option; first: A is taken for it");
    choice.visit(v);
  }
};

struct Patient {
  std::string id, notes, facts;
  std::vector<ChoiceQuestion> questions;
};

/// `text_2` before `text_10`.
bool is_earlier(const std::string& a, const std::string& b) {
  return a.size() != b.size() ? a.size() < b.size() : a < b;
}

std::string read_notes(const JsonLine& texts) {
  std::vector<std::string> keys;
  for (const auto& [key, value] : texts.object.items()) keys.push_back(key);
  std::sort(keys.begin(), keys.end(), is_earlier);
  std::string notes;
  for (const std::string& key : keys) {
    notes +=
        fmt::format("{}<{}>\n{}\n</{}>", notes.empty() ? "" : "\n\n", key, texts.text(key), key);
  }
  require(!notes.empty(), Kind::input, "{}: no notes, need at least one", texts.where);
  return notes;
}

/// The option whose text is the right answer's.
size_t find_gold(const JsonLine& line, const std::vector<std::string>& options, bool takes_first) {
  const std::string correct = line.filled_text("correct");
  const auto found = std::find(options.begin(), options.end(), correct);
  if (found != options.end()) return static_cast<size_t>(found - options.begin());
  require(takes_first, Kind::input,
          "{}: field 'correct' is '{}', which equals no option, need one of their texts (or "
          "unmatched=first: option A counts as right)",
          line.where, correct);
  return 0;
}

Patient read_patient(const std::string& id, const JsonLine& line, bool takes_first) {
  Patient patient{id,
                  read_notes(line.nested("texts")),
                  fmt::format("This is about patient {}: name {}, born {}, diagnosis {}.", id,
                              line.filled_text("name"), line.filled_text("birthday"),
                              line.filled_text("diagnosis")),
                  {}};
  for (const JsonLine& asked : line.objects("questions")) {
    ChoiceQuestion question;
    question.id = fmt::format("{}#{}", id, patient.questions.size() + 1);
    question.text = asked.filled_text("question");
    for (char letter : kLetters) {
      question.options.push_back(asked.filled_text(fmt::format("answer_{}", letter)));
    }
    question.gold = find_gold(asked, question.options, takes_first);
    patient.questions.push_back(std::move(question));
  }
  return patient;
}

class LongHealth : public Task {
 public:
  LongHealth(const std::string& file, const LongHealthParams& params) : params_(params) {
    const JsonLine root = read_json_object(file);
    for (const auto& [id, entry] : root.object.items()) {  // sorted
      // Some copies add a sentence that tells training data from test data.
      if (!entry.is_object() || !entry.contains("texts")) continue;
      patients_.push_back(read_patient(id, root.nested(id), params.unmatched == "first"));
    }
    const auto found = static_cast<int64_t>(patients_.size());
    require(found >= params.patients, Kind::input, "{}: {} patients, need {} for one document",
            file, found, params.patients);
    patients_.resize(patients_.size() - patients_.size() % params.patients);
    for (size_t p = 0; p < patients_.size(); ++p) {
      for (size_t q = 0; q < patients_[p].questions.size(); ++q) samples_.emplace_back(p, q);
    }
  }

  int64_t size() const override { return static_cast<int64_t>(samples_.size()); }

  Sample sample(int64_t index) const override {
    require(index >= 0 && index < size(), Kind::internal, "longhealth sample {}, need 0 .. {}",
            index, size() - 1);
    const auto [p, q] = samples_[static_cast<size_t>(index)];
    ChoiceQuestion question = patients_[p].questions[q];
    if (params_.patients > 1) question.preamble = patients_[p].facts;
    Sample sample = choice_sample(question, params_.choice);
    const auto group = static_cast<size_t>(params_.patients), first = p - p % group;
    sample.document = patients_[first].id;
    for (size_t i = first; i < first + group; ++i) {
      sample.context += (i > first ? "\n\n" : "") + patients_[i].notes;
    }
    return sample;
  }

 private:
  LongHealthParams params_;
  std::vector<Patient> patients_;
  std::vector<std::pair<size_t, size_t>> samples_;  // patient, question
};

std::filesystem::path folder_of(const LongHealthParams& params) {
  return benchmark_folder("longhealth", params.root);
}

DataPlace locate(const std::string&, const ParamMap& map) {
  const auto params = read_params<LongHealthParams>(map);
  return locate_benchmark(folder_of(params), {params.file});
}

std::unique_ptr<Task> make(const TaskContext&, const std::string& argument, const ParamMap& map) {
  const auto params = read_params<LongHealthParams>(map);
  if (!argument.empty()) return std::make_unique<LongHealth>(argument, params);
  require_benchmark(locate(argument, map), "longhealth");
  return std::make_unique<LongHealth>((folder_of(params) / params.file).string(), params);
}

}  // namespace

extern const TaskInfo task_longhealth = {
    "longhealth", "questions with five options on patients' notes (LongHealth): longhealth:FILE",
    make, list_fields<LongHealthParams>, locate};

}  // namespace kvcal
