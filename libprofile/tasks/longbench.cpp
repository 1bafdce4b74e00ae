// SPDX-License-Identifier: Apache-2.0
/// LongBench and LongBench-E, read from the user's own copy in its published layout.
///
/// Source   arXiv:2308.14508; the rules of its pred.py and eval.py, version 1.
/// Samples  those of data/<dataset>.jsonl in file order. {context} and {input} of the template in
///          config/dataset2prompt.json are replaced once each; what stands up to the end of the
///          context is the sample's context, the rest its question. Samples on the same context
///          share a document.
/// Length   a prompt of more than max_length tokens loses its middle, before the chat wrapper comes
///          around it.
/// Differs  max_length is by default what the model can take beside wrapper and reply; the authors
///          set it by hand for each model.
#include <algorithm>
#include <set>

#include "dataset/benchmark_folder.hpp"
#include "dataset/json_lines.hpp"
#include "kvcal/compress/error.hpp"
#include "kvcal/profile/metric.hpp"
#include "kvcal/profile/provenance.hpp"
#include "kvcal/profile/task.hpp"
#include "longbench/middle_truncation.hpp"
#include "longbench/params.hpp"
#include "tokenizer/json_part.hpp"

namespace kvcal {
namespace {

constexpr std::string_view kContext = "{context}", kInput = "{input}";
constexpr int64_t kMostTokens = 1 << 20;
/// A cut prompt may have a few tokens more when it is encoded again: up to three for each U+FFFD.
constexpr int64_t kSpareTokens = 32;

/// The template around the context.
struct Template {
  std::string before, after;  // {input} is in one of them, or in none

  explicit Template(const std::string& text, const std::string& where) {
    const size_t at = text.find(kContext);
    require(at != std::string::npos, Kind::input, "{}: no {} in it", where, kContext);
    before = text.substr(0, at);
    after = text.substr(at + kContext.size());
  }
};

/// @param part  of a template; its first {input} is replaced, if there is one
std::string with_input(std::string part, const std::string& input) {
  const size_t at = part.find(kInput);
  return at == std::string::npos ? part : part.replace(at, kInput.size(), input);
}

struct Entry {
  std::string id, document, input, context;
  std::vector<std::string> answers, all_classes;
  double length;
};

Entry read_entry(const JsonLine& line) {
  Entry entry;
  entry.input = line.text("input");
  entry.context = line.text("context");
  entry.document = sha256(entry.context).substr(0, 16);
  entry.answers = line.texts("answers");
  require(!entry.answers.empty(), Kind::input,
          "{}: field 'answers' is missing or empty, need a list of at least one string",
          line.where);
  entry.all_classes = line.texts("all_classes");
  const auto length = line.object.find("length");
  require(length != line.object.end() && length->is_number(), Kind::input,
          "{}: field 'length' is missing or no number, need the words of the sample", line.where);
  entry.length = length->get<double>();
  entry.id = line.optional_text("_id").value_or("");
  return entry;
}

std::vector<Entry> read_entries(const std::filesystem::path& file) {
  std::vector<Entry> entries;
  std::set<std::string> ids;
  for (const JsonLine& line : read_json_lines(file)) {
    entries.push_back(read_entry(line));
    std::string& id = entries.back().id;
    if (id.empty() || ids.contains(id)) id += fmt::format("#{}", entries.size());
    ids.insert(id);
  }
  return entries;
}

class Longbench : public Task {
 public:
  Longbench(const TaskContext& context, const LongbenchParams& params, const std::string& dataset)
      : Longbench(context, params, dataset, LongbenchFiles(params, dataset)) {}

  int64_t size() const override { return static_cast<int64_t>(entries_.size()); }

  Sample sample(int64_t index) const override {
    require(index >= 0 && index < size(), Kind::internal, "longbench sample {}, need 0 .. {}",
            index, size() - 1);
    const Entry& entry = entries_[static_cast<size_t>(index)];
    Sample sample = pattern_;
    sample.id = entry.id;
    sample.document = entry.document;
    sample.references = entry.answers;
    sample.all_classes = entry.all_classes;
    sample.length = entry.length;
    const bool is_input_first = template_.before.find(kInput) != std::string::npos;
    sample.context = with_input(template_.before, entry.input) + entry.context;
    sample.question = is_input_first ? template_.after : with_input(template_.after, entry.input);
    truncate(sample);
    return sample;
  }

 private:
  Longbench(const TaskContext& context, const LongbenchParams& params, const std::string& dataset,
            const LongbenchFiles& files)
      : context_(context),
        template_(read_template(files, dataset)),
        entries_(read_entries(files.samples)) {
    find_metric(params.metric);  // a wrong name, or data that it lacks, is told now
    pattern_.metric = params.metric;
    pattern_.chat = params.chat;
    pattern_.scores_first_line = params.scores_first_line;
    const nlohmann::json lengths = read_json(files.lengths);
    pattern_.max_new_tokens =
        JsonPart(lengths, files.lengths.string(), "").integer(dataset, 1, kMostTokens);
    if (params.stops_at_newline) stop_at_newline();
    max_length_ = read_max_length(params, files);
  }

  static Template read_template(const LongbenchFiles& files, const std::string& dataset) {
    require_benchmark(locate_benchmark(files.folder, {files.prompts, files.lengths, files.samples}),
                      "longbench");
    const nlohmann::json prompts = read_json(files.prompts);
    const JsonPart root(prompts, files.prompts.string(), "");
    return Template(root.text(dataset), root.at(dataset).where());
  }

  /// Exactly the tokenizer's EOS and the last token of an encoded newline.
  void stop_at_newline() {
    if (const auto eos = context_.tokenizer.eos_id()) pattern_.stop_ids.push_back(*eos);
    pattern_.stop_ids.push_back(context_.tokenizer.encode("\n", false).back());
    pattern_.min_new_tokens = 1;
  }

  int64_t read_max_length(const LongbenchParams& params, const LongbenchFiles& files) const {
    require(params.max_length == 0 || params.max_length_of.empty(), Kind::config,
            "longbench: max_length = {} and max_length_of = {}, need one of them",
            params.max_length, params.max_length_of);
    require(params.max_length != 1, Kind::config,
            "longbench: max_length = 1, need 2 or more, or 0 for what the model can take");
    if (params.max_length > 0) return params.max_length;
    if (!params.max_length_of.empty()) {
      const nlohmann::json limits = read_json(files.limits);
      return JsonPart(limits, files.limits.string(), "")
          .integer(params.max_length_of, 1, kMostTokens);
    }
    int64_t around = 0;
    if (pattern_.chat) {
      const auto wrapper = context_.chat.prefix() + context_.chat.suffix();
      around = static_cast<int64_t>(context_.tokenizer.encode(wrapper).size());
    }
    const int64_t left = context_.max_tokens - pattern_.max_new_tokens - around - kSpareTokens;
    require(left > 0, Kind::config,
            "longbench: {} new tokens leave no room for a prompt, the model takes {}",
            pattern_.max_new_tokens, context_.max_tokens);
    return left;
  }

  /// The question stays apart as far as it survived whole.
  void truncate(Sample& sample) const {
    const std::string whole = sample.context + sample.question;
    std::string cut = without_middle(whole, max_length_, context_.tokenizer);
    if (cut == whole) return;
    if (!cut.ends_with(sample.question)) sample.question.clear();
    cut.resize(cut.size() - sample.question.size());
    sample.context = std::move(cut);
  }

  TaskContext context_;
  Template template_;
  std::vector<Entry> entries_;
  Sample pattern_;  // what all samples have in common
  int64_t max_length_ = 0;
};

DataPlace locate(const std::string& dataset, const ParamMap& params) {
  const LongbenchFiles files(read_params<LongbenchParams>(params), dataset);
  return locate_benchmark(files.folder, {files.prompts, files.lengths, files.samples});
}

std::unique_ptr<Task> make(const TaskContext& context, const std::string& argument,
                           const ParamMap& params) {
  require(!argument.empty(), Kind::config, "task longbench needs a dataset: longbench:NAME");
  return std::make_unique<Longbench>(context, read_params<LongbenchParams>(params), argument);
}

}  // namespace

extern const TaskInfo task_longbench = {"longbench", "a dataset of LongBench: longbench:NAME", make,
                                        list_fields<LongbenchParams>, locate};

}  // namespace kvcal
