// SPDX-License-Identifier: Apache-2.0
/// RULER-like variable tracking: a variable gets a number, others are set to it hop by hop, and all
/// that hold the number are asked for.
///
/// Source   RULER, vt: one chain of four hops in a repeated passage, one solved example first.
/// Samples  a variable is five capitals, a number five digits. The lines of a chain stand in order
///          at random places; only the first of several chains is asked for.
/// Differs  wording and passage are ours, and so are the draws.
#include <fmt/ranges.h>

#include <algorithm>

#include "kvcal/compress/error.hpp"
#include "ruler/haystack.hpp"
#include "ruler/lexicon.hpp"
#include "ruler/ruler_like.hpp"

namespace kvcal {
namespace {

constexpr std::string_view kName = "ruler_like_vt";
constexpr int64_t kLetters = 5, kDigits = 5;
constexpr int64_t kExampleLines = 5;

struct TracingParams {
  ruler::Sizing sizing;
  int64_t chains = 1;
  int64_t hops = 4;

  TracingParams() { sizing.max_new_tokens = 30; }
  template <class Visitor>
  void visit(Visitor& v) {
    sizing.visit(v);
    v.field("chains", chains, between(1, 100), "chains of assignments; the first is asked for");
    v.field("hops", hops, between(1, 100), "variables that are set to another one of their chain");
  }
};

/// A text with its question and the names that answer it.
struct Puzzle {
  std::string text, question, answer_prefix;
  std::vector<std::string> names;
};

class TracingWriter : public ruler::Writer {
 public:
  explicit TracingWriter(const TracingParams& params) : params_(params) {}

  /// A chain needs a place for each of its lines, before, between or behind those of the passage.
  int64_t least_size() const override { return std::max(kExampleLines, params_.hops); }

  ruler::Prompt write(ruler::Dice& dice, int64_t, int64_t size) const override {
    std::set<std::string> used;
    const Puzzle example = puzzle(dice, used, least_size());
    Puzzle asked = puzzle(dice, used, size);
    ruler::Prompt prompt;
    prompt.context = fmt::format("{}{}{} {}\n\n{}", example.text, example.question,
                                 example.answer_prefix, fmt::join(example.names, " "), asked.text);
    prompt.question = std::move(asked.question);
    prompt.answer_prefix = std::move(asked.answer_prefix);
    prompt.references = std::move(asked.names);
    return prompt;
  }

 private:
  Puzzle puzzle(ruler::Dice& dice, std::set<std::string>& used, int64_t lines) const {
    Puzzle puzzle;
    std::string number;
    std::vector<std::string> pieces(static_cast<size_t>(lines),
                                    fmt::format("{}\n", ruler::kFiller));
    for (int64_t chain = 0; chain < params_.chains; ++chain) {
      const auto names = draw_names(dice, used);
      const std::string value =
          ruler::draw_unused(used, [&] { return ruler::draw_number(dice, kDigits); });
      pieces = with_chain(dice, pieces, names, value);
      if (chain > 0) continue;
      puzzle.names = names;
      number = value;
    }
    puzzle.text = fmt::format("Follow the variables that are set in the text below.\n\n{}\n",
                              fmt::join(pieces, ""));
    puzzle.question = fmt::format(
        "Question: Which variables hold the number {} at the end of the text above?\nAnswer:",
        number);
    puzzle.answer_prefix = fmt::format(
        " In the text above {} variables hold the number {}:", puzzle.names.size(), number);
    return puzzle;
  }

  std::vector<std::string> draw_names(ruler::Dice& dice, std::set<std::string>& used) const {
    std::vector<std::string> names;
    for (int64_t i = 0; i <= params_.hops; ++i) {
      names.push_back(
          ruler::draw_unused(used, [&] { return ruler::draw_letters(dice, kLetters, 'A'); }));
    }
    return names;
  }

  /// The pieces with the lines of a chain between them, in order.
  static std::vector<std::string> with_chain(ruler::Dice& dice,
                                             const std::vector<std::string>& pieces,
                                             const std::vector<std::string>& names,
                                             const std::string& number) {
    const auto count = static_cast<int64_t>(names.size());
    std::vector<std::string> lines = {fmt::format("VAR {} = {}\n", names.front(), number)};
    for (size_t i = 1; i < names.size(); ++i) {
      lines.push_back(fmt::format("VAR {} = VAR {}\n", names[i], names[i - 1]));
    }
    std::vector<std::string> mixed = pieces;
    const auto positions = ruler::draw_positions(dice, count, static_cast<int64_t>(pieces.size()));
    for (size_t i = lines.size(); i > 0; --i) {
      mixed.insert(mixed.begin() + positions[i - 1], lines[i - 1]);
    }
    return mixed;
  }

  TracingParams params_;
};

std::unique_ptr<Task> make(const TaskContext& context, const std::string& argument,
                           const ParamMap& map) {
  require(argument.empty(), Kind::config, "task {} takes no argument, got '{}'", kName, argument);
  const auto params = read_params<TracingParams>(map);
  return ruler::make_task(context, kName, params.sizing, "ruler_string_match_all",
                          std::make_unique<TracingWriter>(params));
}

}  // namespace

extern const TaskInfo task_ruler_like_vt = {
    "ruler_like_vt", "variables set in a chain, after RULER", make, list_fields<TracingParams>};

}  // namespace kvcal
