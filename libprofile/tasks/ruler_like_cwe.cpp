// SPDX-License-Identifier: Apache-2.0
/// RULER-like common words: a numbered list in which ten words come more often than the others.
///
/// Source   RULER, cwe: 10 words 30 times and others 3 times, or 6 times and once where the length
///          is below 4096; a solved list of 40 words first.
/// Differs  wording and words are ours, and so are the draws. Words beyond the lexicon are
/// compounds
///          of those that are not asked for.
#include <fmt/ranges.h>

#include "kvcal/compress/error.hpp"
#include "ruler/lexicon.hpp"
#include "ruler/ruler_like.hpp"

namespace kvcal {
namespace {

constexpr std::string_view kName = "ruler_like_cwe";
constexpr int64_t kShortBelow = 4096;  // tokens

struct CommonWordsParams {
  ruler::Sizing sizing;
  int64_t common_words = 10;

  CommonWordsParams() { sizing.max_new_tokens = 120; }
  template <class Visitor>
  void visit(Visitor& v) {
    sizing.visit(v);
    v.field("common_words", common_words, between(1, 100), "words that are asked for");
  }
};

/// How often each word comes.
struct Frequencies {
  int64_t common, other;
};
constexpr Frequencies kLong = {30, 3}, kShort = {6, 1}, kExample = {3, 1};

using Words = std::vector<std::string>;

std::string numbered(const Words& words) {
  std::string list;
  for (size_t i = 0; i < words.size(); ++i) list += fmt::format(" {}. {}", i + 1, words[i]);
  return list;
}

class CommonWordsWriter : public ruler::Writer {
 public:
  explicit CommonWordsWriter(const CommonWordsParams& params)
      : params_(params),
        lexicon_(ruler::Lexicon::load()),
        frequencies_(params.sizing.length_tokens < kShortBelow ? kShort : kLong) {}

  int64_t least_size() const override { return params_.common_words; }

  /// @param size  words that are not asked for
  ruler::Prompt write(ruler::Dice& dice, int64_t, int64_t size) const override {
    const int64_t asked = params_.common_words;
    // The example has as many common words as the list, and as many others; neither uses the
    // other's.
    const Words words = ruler::distinct_words(dice, lexicon_, 3 * asked + size, 3 * asked);
    const auto begin = words.begin();
    const Words example_common(begin, begin + asked),
        example_others(begin + asked, begin + 2 * asked);
    const Words common(begin + 2 * asked, begin + 3 * asked),
        others(begin + 3 * asked, words.end());
    ruler::Prompt prompt;
    prompt.context = fmt::format(
        "{}{}{}{}\n\n{}", list(dice, example_common, example_others, kExample), question(),
        answer_prefix(), numbered(example_common), list(dice, common, others, frequencies_));
    prompt.question = question();
    prompt.answer_prefix = answer_prefix();
    prompt.references = common;
    return prompt;
  }

 private:
  static std::string list(ruler::Dice& dice, const Words& common, const Words& others,
                          Frequencies frequencies) {
    Words all;
    const auto add = [&all](const Words& words, int64_t times) {
      for (; times > 0; --times) all.insert(all.end(), words.begin(), words.end());
    };
    add(common, frequencies.common);
    add(others, frequencies.other);
    dice.shuffle(all);
    return fmt::format(
        "Some words come up more often than others in the numbered list below. Remember the ones "
        "that come up most often.\n\n{}\n\n",
        numbered(all).substr(1));
  }

  std::string question() const {
    return fmt::format("Question: Which {} words come up most often in the list above?\nAnswer:",
                       params_.common_words);
  }

  std::string answer_prefix() const {
    return fmt::format(" The {} words that come up most often are:", params_.common_words);
  }

  CommonWordsParams params_;
  ruler::Lexicon lexicon_;
  Frequencies frequencies_;
};

std::unique_ptr<Task> make(const TaskContext& context, const std::string& argument,
                           const ParamMap& map) {
  require(argument.empty(), Kind::config, "task {} takes no argument, got '{}'", kName, argument);
  const auto params = read_params<CommonWordsParams>(map);
  return ruler::make_task(context, kName, params.sizing, "ruler_string_match_all",
                          std::make_unique<CommonWordsWriter>(params));
}

}  // namespace

extern const TaskInfo task_ruler_like_cwe = {"ruler_like_cwe",
                                             "the most common words of a list, after RULER", make,
                                             list_fields<CommonWordsParams>};

}  // namespace kvcal
