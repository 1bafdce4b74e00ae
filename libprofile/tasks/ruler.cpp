// SPDX-License-Identifier: Apache-2.0
/// RULER's published samples, `ruler:FILE`, one object a line: {"index", "input", "outputs"}, where
/// the input is the whole prompt up to the start of the reply.
///
/// Source   RULER (arXiv:2404.06654); files of one kind and length as its generator writes them.
///          The kind comes from the name of the file or of its folder.
/// Samples  in file order. A prompt is cut into context, question and start of the reply where
///          kvpress cuts it, so that compression need not see the question; put together again the
///          three are the input, byte for byte.
/// Differs  bare text as RULER and KVCache-Factory; kvpress: `chat: true`, `scoring: kvpress`.
///          KVCache-Factory's shorter replies: `new_tokens: kvcache_factory`; its cut of the
///          middle, as for LongBench: `max_length`.
#include <fmt/ranges.h>

#include <algorithm>
#include <map>

#include "dataset/json_lines.hpp"
#include "kvcal/compress/error.hpp"
#include "kvcal/profile/metric.hpp"
#include "kvcal/profile/task.hpp"
#include "longbench/middle_truncation.hpp"
#include "ruler/kinds.hpp"

namespace kvcal {
namespace {

struct RulerParams {
  std::string kind;
  std::string new_tokens = "ruler";
  std::string scoring = "plain";
  bool is_split = true;
  bool chat = false;
  int64_t max_length = 0;

  template <class Visitor>
  void visit(Visitor& v) {
    v.field("kind", kind, any(), "e.g. niah_single_1; default: as the file or its folder is named");
    v.field("new_tokens", new_tokens, one_of({"ruler", "kvcache_factory"}),
            "whose lengths of replies");
    v.field("scoring", scoring, one_of({"plain", "kvpress"}),
            "kvpress takes control characters out of replies first");
    v.field("is_split", is_split, any(), "cut prompts before the question");
    v.field("chat", chat, any(), "wrap in the model's chat format, the reply's start behind it");
    v.field("max_length", max_length, at_least(0),
            "a prompt of more tokens loses its middle; 0: it stays whole");
  }
};

const ruler::PublishedKind& find_kind(const std::string& file, const RulerParams& params) {
  std::vector<std::string> known;
  for (const auto& kind : ruler::published_kinds()) {
    if (kind.name == params.kind) return kind;
    known.emplace_back(kind.name);
  }
  require(params.kind.empty(), Kind::config, "ruler: kind = '{}'{} (known: {})", params.kind,
          nearest_hint(params.kind, known), fmt::join(known, ", "));
  const auto* kind = ruler::kind_of_file(file);
  require(kind != nullptr, Kind::config,
          "ruler: neither the name of {} nor its folder's starts with a kind ({}); name it by "
          "kind=NAME",
          file, fmt::join(known, ", "));
  return *kind;
}

int64_t reply_tokens(const ruler::PublishedKind& kind, const RulerParams& params) {
  if (params.new_tokens == "ruler") return kind.new_tokens;
  require(kind.kvcache_factory_new_tokens > 0, Kind::config,
          "ruler: new_tokens = kvcache_factory, which does not run {}", kind.name);
  return kind.kvcache_factory_new_tokens;
}

/// Where the question and, behind it, the start of the reply begin.
struct Cuts {
  size_t question, answer_prefix;
};

Cuts find_cuts(const std::string& input, const ruler::PublishedKind& kind,
               const std::string& where) {
  size_t question = std::string::npos;
  for (std::string_view start : kind.question_starts) {
    const size_t found = input.rfind(start);
    const bool is_later =
        found != std::string::npos && (question == std::string::npos || found > question);
    if (is_later) question = found;
  }
  const std::string need = "need it in a prompt of this kind, or is_split=false";
  require(question != std::string::npos && question > 0, Kind::input,
          "{}: field 'input' has no '{}' behind a context ({}), {}", where,
          fmt::join(kind.question_starts, "' or '"), kind.name, need);
  const size_t answer_prefix = input.rfind(kind.answer_prefix_start);
  require(answer_prefix != std::string::npos && answer_prefix > question, Kind::input,
          "{}: field 'input' has no '{}' behind its question ({}), {}", where,
          kind.answer_prefix_start, kind.name, need);
  return {question, answer_prefix};
}

/// @param tokenizer  counts the tokens of a prompt that may be cut
Sample read_sample(const JsonLine& line, const ruler::PublishedKind& kind,
                   const RulerParams& params, const Tokenizer& tokenizer) {
  Sample sample;
  const auto index = line.object.find("index");
  require(index != line.object.end() && index->is_number_integer(), Kind::input,
          "{}: field 'index' is missing or no whole number", line.where);
  sample.id = index->dump();
  sample.references = line.texts("outputs");
  require(!sample.references.empty(), Kind::input,
          "{}: field 'outputs' is missing or empty, need a list of strings", line.where);
  std::string input = line.text("input");
  if (params.max_length > 0) input = without_middle(input, params.max_length, tokenizer);
  if (!params.is_split) {
    require(!input.empty(), Kind::input, "{}: field 'input' is empty, need text", line.where);
    sample.context = input;
    return sample;
  }
  const Cuts cuts = find_cuts(input, kind, line.where);
  sample.context = input.substr(0, cuts.question);
  sample.question = input.substr(cuts.question, cuts.answer_prefix - cuts.question);
  sample.answer_prefix = input.substr(cuts.answer_prefix);
  return sample;
}

class Ruler : public Task {
 public:
  Ruler(const std::string& file, const RulerParams& params, const Tokenizer& tokenizer) {
    const auto& kind = find_kind(file, params);
    const int64_t new_tokens = reply_tokens(kind, params);
    const std::string metric =
        fmt::format("{}{}", kind.metric, params.scoring == "kvpress" ? "_kvpress" : "");
    find_metric(metric);
    std::map<std::string, std::string> seen;  // id -> where
    for (const JsonLine& line : read_json_lines(file)) {
      Sample sample = read_sample(line, kind, params, tokenizer);
      const auto [first, is_new] = seen.emplace(sample.id, line.where);
      require(is_new, Kind::input, "{}: field 'index' is {}, which {} has already", line.where,
              sample.id, first->second);
      sample.metric = metric;
      sample.max_new_tokens = new_tokens;
      sample.chat = params.chat;
      samples_.push_back(std::move(sample));
    }
  }

  int64_t size() const override { return static_cast<int64_t>(samples_.size()); }

  Sample sample(int64_t index) const override {
    require(index >= 0 && index < size(), Kind::internal, "ruler sample {}, need 0 .. {}", index,
            size() - 1);
    return samples_[static_cast<size_t>(index)];
  }

 private:
  std::vector<Sample> samples_;
};

std::unique_ptr<Task> make(const TaskContext& context, const std::string& argument,
                           const ParamMap& params) {
  require(!argument.empty(), Kind::config, "task ruler needs a file: ruler:FILE");
  return std::make_unique<Ruler>(argument, read_params<RulerParams>(params), context.tokenizer);
}

}  // namespace

extern const TaskInfo task_ruler = {"ruler", "RULER's published samples: ruler:FILE", make,
                                    list_fields<RulerParams>};

}  // namespace kvcal
