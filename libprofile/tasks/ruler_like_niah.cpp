// SPDX-License-Identifier: Apache-2.0
/// RULER-like needles: values given for keys, hidden in a haystack, some of them asked for.
///
/// Source   RULER, niah_*: eight kinds, as parameters in configs/tasks/ruler_like/niah_*.yaml.
/// Samples  a key is two words or a uuid, a value seven digits or a uuid. Haystacks: essays with
///          needles at sentence ends, drawn from 40 depths; one passage repeated line by line; or
///          lines that are needles themselves, each with a key and a value of its own.
/// Differs  wording, words and essays are ours, and so are the draws.
#include <fmt/ranges.h>

#include <algorithm>

#include "kvcal/compress/error.hpp"
#include "ruler/haystack.hpp"
#include "ruler/lexicon.hpp"
#include "ruler/ruler_like.hpp"

namespace kvcal {
namespace {

constexpr std::string_view kName = "ruler_like_niah";
constexpr int64_t kDigits = 7;

struct NeedleParams {
  ruler::Sizing sizing;
  std::string haystack = "essays";
  std::string key = "words";
  std::string value = "number";
  int64_t keys = 1;
  int64_t values_per_key = 1;
  int64_t asked_keys = 1;

  template <class Visitor>
  void visit(Visitor& v) {
    sizing.visit(v);
    v.field("haystack", haystack, one_of({"essays", "filler", "needles"}),
            "what the needles are hidden in");
    v.field("key", key, one_of({"words", "uuid"}), "what a needle is about");
    v.field("value", value, one_of({"number", "uuid"}), "what a needle gives");
    v.field("keys", keys, between(1, ruler::kDepths), "keys that needles are about");
    v.field("values_per_key", values_per_key, between(1, ruler::kDepths), "needles for each key");
    v.field("asked_keys", asked_keys, between(1, ruler::kDepths), "how many of the keys are asked");
  }
};

/// `a`, `a and b`, `a, b and c`
std::string enumerate(const std::vector<std::string>& names) {
  if (names.size() == 1) return names.front();
  return fmt::format("{} and {}", fmt::join(names.begin(), names.end() - 1, ", "), names.back());
}

class NeedleWriter : public ruler::Writer {
 public:
  explicit NeedleWriter(const NeedleParams& params)
      : params_(params),
        lexicon_(ruler::Lexicon::load()),
        sentences_(ruler::split_sentences(ruler::load_essays())) {
    require(params.asked_keys <= params.keys, Kind::config,
            "{}: asked_keys = {}, need 1 .. {} (keys)", kName, params.asked_keys, params.keys);
    require(needles() <= ruler::kDepths, Kind::config,
            "{}: keys * values_per_key = {}, need {} or fewer", kName, needles(), ruler::kDepths);
  }

  int64_t least_size() const override { return needles(); }

  ruler::Prompt write(ruler::Dice& dice, int64_t, int64_t size) const override {
    Drawn drawn;
    ruler::Prompt prompt;
    std::vector<std::string> asked, lines;
    for (int64_t k = 0; k < params_.keys; ++k) {
      const std::string key = draw_key(dice, drawn);
      if (k < params_.asked_keys) asked.push_back(key);
      for (int64_t v = 0; v < params_.values_per_key; ++v) {
        const std::string value = draw_value(dice, drawn);
        lines.push_back(line(key, value));
        if (k < params_.asked_keys) prompt.references.push_back(value);
      }
    }
    dice.shuffle(lines);
    const bool is_one = prompt.references.size() == 1;
    const std::string things = fmt::format("secret {}{}", params_.value, is_one ? "" : "s");
    prompt.context = fmt::format(
        "The text below hides {}. Remember {}: the question comes after the text.\n\n{}\n\n",
        is_one ? "a " + things : "some " + things, is_one ? "it" : "them",
        hide(dice, drawn, std::move(lines), size));
    prompt.question = fmt::format("Question: What {} the {} of {} in the text above?\nAnswer:",
                                  is_one ? "is" : "are", things, enumerate(asked));
    prompt.answer_prefix =
        fmt::format(" The {} of {} {}:", things, enumerate(asked), is_one ? "is" : "are");
    return prompt;
  }

 private:
  /// What a prompt has used already.
  struct Drawn {
    std::set<std::string> keys, values;
  };

  int64_t needles() const { return params_.keys * params_.values_per_key; }

  std::string draw_key(ruler::Dice& dice, Drawn& drawn) const {
    return ruler::draw_unused(drawn.keys, [&] {
      return params_.key == "uuid" ? ruler::draw_uuid(dice) : ruler::draw_word_key(dice, lexicon_);
    });
  }

  std::string draw_value(ruler::Dice& dice, Drawn& drawn) const {
    return ruler::draw_unused(drawn.values, [&] {
      return params_.value == "uuid" ? ruler::draw_uuid(dice) : ruler::draw_number(dice, kDigits);
    });
  }

  std::string line(const std::string& key, const std::string& value) const {
    return fmt::format("{} secret {} of {} is: {}.", params_.values_per_key > 1 ? "One" : "The",
                       params_.value, key, value);
  }

  std::string hide(ruler::Dice& dice, Drawn& drawn, std::vector<std::string> lines,
                   int64_t size) const {
    const auto count = static_cast<int64_t>(lines.size());
    const bool is_essay = params_.haystack == "essays";
    for (std::string& line : lines) line += is_essay ? " " : "\n";
    std::vector<std::string> pieces;
    for (int64_t i = 0; i < size; ++i) pieces.push_back(piece(dice, drawn, i));
    const auto positions =
        is_essay ? ruler::draw_depths(dice, count, size) : ruler::draw_positions(dice, count, size);
    std::string text = ruler::weave(pieces, lines, positions);
    text.erase(text.find_last_not_of(" \n") + 1);
    return text;
  }

  /// Essays go on from their beginning when they are used up.
  std::string piece(ruler::Dice& dice, Drawn& drawn, int64_t index) const {
    if (params_.haystack == "essays")
      return sentences_[static_cast<size_t>(index) % sentences_.size()];
    if (params_.haystack == "filler") return fmt::format("{}\n", ruler::kFiller);
    const std::string key = draw_key(dice, drawn);
    return line(key, draw_value(dice, drawn)) + "\n";
  }

  NeedleParams params_;
  ruler::Lexicon lexicon_;
  std::vector<std::string> sentences_;  // of the essays
};

std::unique_ptr<Task> make(const TaskContext& context, const std::string& argument,
                           const ParamMap& map) {
  require(argument.empty(), Kind::config, "task {} takes no argument, got '{}'", kName, argument);
  const auto params = read_params<NeedleParams>(map);
  return ruler::make_task(context, kName, params.sizing, "ruler_string_match_all",
                          std::make_unique<NeedleWriter>(params));
}

}  // namespace

extern const TaskInfo task_ruler_like_niah = {"ruler_like_niah",
                                              "values of keys hidden in a haystack, after RULER",
                                              make, list_fields<NeedleParams>};

}  // namespace kvcal
