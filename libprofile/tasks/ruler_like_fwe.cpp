// SPDX-License-Identifier: Apache-2.0
/// RULER-like frequent words: made-up words whose counts fall as a power of their rank.
///
/// Source   RULER, fwe: words of six letters, word k of a vocabulary of length / 50 comes
///          floor(n k^-alpha / zeta(alpha)) times in a text of about n words, alpha = 2. The first
///          is printed as dots, the next three are asked for.
/// Differs  wording and draws are ours; the length has room for the reply, RULER's has not.
#include <fmt/ranges.h>

#include <cmath>

#include "kvcal/compress/error.hpp"
#include "ruler/lexicon.hpp"
#include "ruler/ruler_like.hpp"

namespace kvcal {
namespace {

constexpr std::string_view kName = "ruler_like_fwe", kDots = "...";
constexpr int64_t kLetters = 6, kTokensPerWord = 50;  // of length for a word of the vocabulary

struct FrequentWordsParams {
  ruler::Sizing sizing;
  double alpha = 2;
  int64_t asked_words = 3;

  FrequentWordsParams() { sizing.max_new_tokens = 50; }
  template <class Visitor>
  void visit(Visitor& v) {
    sizing.visit(v);
    v.field("alpha", alpha, between(1.1, 4), "how fast counts fall with rank");
    v.field("asked_words", asked_words, between(1, 20), "words that are asked for");
  }
};

class FrequentWordsWriter : public ruler::Writer {
 public:
  explicit FrequentWordsWriter(const FrequentWordsParams& params)
      : params_(params),
        zeta_(std::riemann_zeta(params.alpha)),
        vocabulary_(std::max(params.sizing.length_tokens / kTokensPerWord,
                             params.asked_words + 2)) {}  // the dots, and one that is not asked for

  /// From here on the last word that is asked for is more frequent than the next.
  int64_t least_size() const override {
    const auto rank = static_cast<double>(params_.asked_words + 1);
    return static_cast<int64_t>(std::ceil(1 / (share(rank) - share(rank + 1))));
  }

  /// @param size  words of the text, before counts are rounded down
  ruler::Prompt write(ruler::Dice& dice, int64_t, int64_t size) const override {
    std::set<std::string> used;
    std::vector<std::string> vocabulary = {std::string(kDots)}, text;
    while (static_cast<int64_t>(vocabulary.size()) < vocabulary_) {
      vocabulary.push_back(
          ruler::draw_unused(used, [&] { return ruler::draw_letters(dice, kLetters, 'a'); }));
    }
    for (size_t i = 0; i < vocabulary.size(); ++i) {
      const double times = static_cast<double>(size) * share(static_cast<double>(i + 1));
      text.insert(text.end(), static_cast<size_t>(times), vocabulary[i]);
    }
    dice.shuffle(text);
    const auto asked = vocabulary.begin() + 1;
    return {fmt::format("The text below is made of invented words. Remember which of them come up "
                        "most often.\n\n{}\n\n",
                        fmt::join(text, " ")),
            fmt::format("Question: Dots aside, which {} invented words come up most often in the "
                        "text above? Do not explain.\nAnswer:",
                        params_.asked_words),
            fmt::format(" The {} words that come up most often in the text above are:",
                        params_.asked_words),
            {asked, asked + params_.asked_words}};
  }

 private:
  double share(double rank) const { return std::pow(rank, -params_.alpha) / zeta_; }

  FrequentWordsParams params_;
  double zeta_;
  int64_t vocabulary_;  // with the dots
};

std::unique_ptr<Task> make(const TaskContext& context, const std::string& argument,
                           const ParamMap& map) {
  require(argument.empty(), Kind::config, "task {} takes no argument, got '{}'", kName, argument);
  const auto params = read_params<FrequentWordsParams>(map);
  return ruler::make_task(context, kName, params.sizing, "ruler_string_match_all",
                          std::make_unique<FrequentWordsWriter>(params));
}

}  // namespace

extern const TaskInfo task_ruler_like_fwe = {"ruler_like_fwe",
                                             "the most frequent of made-up words, after RULER",
                                             make, list_fields<FrequentWordsParams>};

}  // namespace kvcal
