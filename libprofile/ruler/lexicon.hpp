// SPDX-License-Identifier: Apache-2.0
// What needles and lists are made of: words of ours (data/words), numbers, uuids.
#pragma once

#include <set>
#include <string>
#include <vector>

#include "ruler/dice.hpp"

namespace kvcal::ruler {

/// No word is part of another one, so that a substring test is a test of words.
struct Lexicon {
  std::vector<std::string> adjectives, nouns;

  /// @throws Error{config} the files of data/words are not found
  static Lexicon load();
};

/// `count` different words. When the lexicon runs out they go on as compounds (`amber-anvil`) of
/// words that stand behind the first `kept_whole`, which stay parts of none.
std::vector<std::string> distinct_words(Dice& dice, const Lexicon& lexicon, int64_t count,
                                        int64_t kept_whole);

std::string draw_word_key(Dice& dice, const Lexicon& lexicon);    ///< `misty-teapot`
std::string draw_uuid(Dice& dice);                                ///< version 4, lower case
std::string draw_number(Dice& dice, int64_t digits);              ///< no leading zero
std::string draw_letters(Dice& dice, int64_t count, char first);  ///< of 26 from `first` on

/// What `draw()` gives, drawn again until it is new; `used` remembers it.
template <class Draw>
std::string draw_unused(std::set<std::string>& used, Draw draw) {
  std::string value = draw();
  while (!used.insert(value).second) value = draw();
  return value;
}

}  // namespace kvcal::ruler
