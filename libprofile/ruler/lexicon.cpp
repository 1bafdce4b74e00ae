// SPDX-License-Identifier: Apache-2.0
#include "ruler/lexicon.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <fstream>

#include "kvcal/compress/error.hpp"
#include "kvcal/profile/resources.hpp"

namespace kvcal::ruler {
namespace {

std::vector<std::string> read_words(std::string_view name) {
  const auto file = resource(name);
  std::ifstream stream(file);
  std::vector<std::string> words;
  for (std::string word; stream >> word;) words.push_back(word);
  require(words.size() >= 2, Kind::config, "{}: {} words, need one a line", file.string(),
          words.size());
  return words;
}

}  // namespace

Lexicon Lexicon::load() {
  return {read_words("data/words/adjectives.txt"), read_words("data/words/nouns.txt")};
}

std::vector<std::string> distinct_words(Dice& dice, const Lexicon& lexicon, int64_t count,
                                        int64_t kept_whole) {
  std::vector<std::string> words = lexicon.adjectives;
  words.insert(words.end(), lexicon.nouns.begin(), lexicon.nouns.end());
  dice.shuffle(words);
  const auto whole = static_cast<int64_t>(words.size());
  const int64_t parts = whole - kept_whole;
  require(kept_whole <= count && count <= whole + parts * (parts - 1), Kind::config,
          "{} different words asked for, {} of them whole; the lexicon gives {}", count, kept_whole,
          whole + parts * (parts - 1));
  if (count <= whole) {
    words.resize(static_cast<size_t>(count));
    return words;
  }
  // Compound i joins two words at a distance that grows every `parts` compounds: none comes twice.
  for (int64_t i = 0; i < count - whole; ++i) {
    const int64_t first = i % parts, second = (first + 1 + i / parts) % parts;
    words.push_back(fmt::format("{}-{}", words[kept_whole + first], words[kept_whole + second]));
  }
  return words;
}

std::string draw_word_key(Dice& dice, const Lexicon& lexicon) {
  const std::string& adjective = dice.pick(lexicon.adjectives);
  return fmt::format("{}-{}", adjective, dice.pick(lexicon.nouns));
}

std::string draw_uuid(Dice& dice) {
  std::string digits;
  for (int i = 0; i < 32; ++i) digits += fmt::format("{:x}", dice.below(16));
  digits[12] = '4';                                         // version
  digits[16] = "89ab"[static_cast<size_t>(dice.below(4))];  // variant
  for (size_t at : {20u, 16u, 12u, 8u}) digits.insert(at, 1, '-');
  return digits;
}

std::string draw_number(Dice& dice, int64_t digits) {
  std::string number(1, static_cast<char>('1' + dice.below(9)));
  for (int64_t i = 1; i < digits; ++i) number += static_cast<char>('0' + dice.below(10));
  return number;
}

std::string draw_letters(Dice& dice, int64_t count, char first) {
  std::string letters;
  for (int64_t i = 0; i < count; ++i) letters += static_cast<char>(first + dice.below(26));
  return letters;
}

}  // namespace kvcal::ruler
