// SPDX-License-Identifier: Apache-2.0
/// M. F. Porter, An algorithm for suffix stripping, Program 14(3), 1980, with the extensions that
/// are the default mode of NLTK's PorterStemmer. Differs from the paper (as NLTK): irregular words;
/// words of one or two letters stay; 4-letter -ies and -ied give -ie, other -ied give -i; y becomes
/// i after a consonant and a stem of two letters or more; a two-letter vowel-consonant stem counts
/// as *o; step 2 takes -alli first and runs again, has -bli for -abli, and -fulli and -logi. In
/// each step the first suffix that matches decides.
#include "metrics/text/porter_stemmer.hpp"

#include <initializer_list>
#include <map>
#include <string_view>

namespace kvcal::text {
namespace {

bool is_consonant(std::string_view word, size_t i) {
  switch (word[i]) {
    case 'a':
    case 'e':
    case 'i':
    case 'o':
    case 'u':
      return false;
    case 'y':
      return i == 0 || !is_consonant(word, i - 1);
    default:
      return true;
  }
}

/// m of the paper: how often a vowel is followed by a consonant.
int measure(std::string_view stem) {
  int count = 0;
  for (size_t i = 1; i < stem.size(); ++i)
    count += !is_consonant(stem, i - 1) && is_consonant(stem, i);
  return count;
}

bool has_vowel(std::string_view stem) {
  for (size_t i = 0; i < stem.size(); ++i) {
    if (!is_consonant(stem, i)) return true;
  }
  return false;
}

bool ends_double_consonant(std::string_view word) {
  const size_t n = word.size();
  return n >= 2 && word[n - 1] == word[n - 2] && is_consonant(word, n - 1);
}

/// *o of the paper: consonant, vowel, consonant other than w, x, y.
bool ends_cvc(std::string_view word) {
  const size_t n = word.size();
  if (n == 2) return !is_consonant(word, 0) && is_consonant(word, 1);
  if (n < 3) return false;
  const char last = word[n - 1];
  return is_consonant(word, n - 3) && !is_consonant(word, n - 2) && is_consonant(word, n - 1) &&
         last != 'w' && last != 'x' && last != 'y';
}

std::string_view without(std::string_view word, size_t suffix_length) {
  return word.substr(0, word.size() - suffix_length);
}

bool always(std::string_view) {
  return true;
}
bool measure_above_0(std::string_view stem) {
  return measure(stem) > 0;
}
bool measure_above_1(std::string_view stem) {
  return measure(stem) > 1;
}

struct Rule {
  std::string_view suffix, replacement;
  bool (*condition)(std::string_view stem);
};

/// The first rule whose suffix matches decides, also when its condition fails.
std::string apply(const std::string& word, std::initializer_list<Rule> rules) {
  for (const Rule& rule : rules) {
    if (!word.ends_with(rule.suffix)) continue;
    const std::string_view stem = without(word, rule.suffix.size());
    return rule.condition(stem) ? std::string(stem) + std::string(rule.replacement) : word;
  }
  return word;
}

std::string plural(const std::string& word) {  // Step 1a.
  if (word.size() == 4 && word.ends_with("ies")) return word.substr(0, 3);
  return apply(
      word,
      {{"sses", "ss", always}, {"ies", "i", always}, {"ss", "ss", always}, {"s", "", always}});
}

/// The second half of step 1b, after -ed or -ing was taken off.
std::string repaired(const std::string& stem) {
  if (stem.ends_with("at") || stem.ends_with("bl") || stem.ends_with("iz")) return stem + "e";
  if (ends_double_consonant(stem)) {
    const char last = stem.back();
    return last == 'l' || last == 's' || last == 'z' ? stem : stem.substr(0, stem.size() - 1);
  }
  return measure(stem) == 1 && ends_cvc(stem) ? stem + "e" : stem;
}

std::string past_and_progressive(const std::string& word) {  // Step 1b.
  if (word.ends_with("ied")) return word.substr(0, word.size() - (word.size() == 4 ? 1 : 2));
  if (word.ends_with("eed")) return apply(word, {{"eed", "ee", measure_above_0}});
  for (std::string_view suffix : {"ed", "ing"}) {
    if (!word.ends_with(suffix)) continue;
    const std::string stem(without(word, suffix.size()));
    if (has_vowel(stem)) return repaired(stem);
  }
  return word;
}

std::string final_y(const std::string& word) {  // Step 1c.
  return apply(word, {{"y", "i", [](std::string_view stem) {
                         return stem.size() > 1 && is_consonant(stem, stem.size() - 1);
                       }}});
}

std::string double_suffix(const std::string& word) {  // Step 2.
  if (word.ends_with("alli") && measure(without(word, 4)) > 0) {
    return double_suffix(word.substr(0, word.size() - 2));
  }
  // The measure of -logi includes its l.
  if (word.ends_with("logi"))
    return measure(without(word, 3)) > 0 ? word.substr(0, word.size() - 1) : word;
  constexpr auto m0 = measure_above_0;
  return apply(word, {{"ational", "ate", m0}, {"tional", "tion", m0}, {"enci", "ence", m0},
                      {"anci", "ance", m0},   {"izer", "ize", m0},    {"bli", "ble", m0},
                      {"alli", "al", m0},     {"entli", "ent", m0},   {"eli", "e", m0},
                      {"ousli", "ous", m0},   {"ization", "ize", m0}, {"ation", "ate", m0},
                      {"ator", "ate", m0},    {"alism", "al", m0},    {"iveness", "ive", m0},
                      {"fulness", "ful", m0}, {"ousness", "ous", m0}, {"aliti", "al", m0},
                      {"iviti", "ive", m0},   {"biliti", "ble", m0},  {"fulli", "ful", m0}});
}

std::string adjective_suffix(const std::string& word) {  // Step 3.
  constexpr auto m0 = measure_above_0;
  return apply(word, {{"icate", "ic", m0},
                      {"ative", "", m0},
                      {"alize", "al", m0},
                      {"iciti", "ic", m0},
                      {"ical", "ic", m0},
                      {"ful", "", m0},
                      {"ness", "", m0}});
}

std::string bare_suffix(const std::string& word) {  // Step 4.
  constexpr auto m1 = measure_above_1;
  constexpr auto ion = [](std::string_view stem) {
    return measure(stem) > 1 && (stem.back() == 's' || stem.back() == 't');
  };
  return apply(word, {{"al", "", m1},
                      {"ance", "", m1},
                      {"ence", "", m1},
                      {"er", "", m1},
                      {"ic", "", m1},
                      {"able", "", m1},
                      {"ible", "", m1},
                      {"ant", "", m1},
                      {"ement", "", m1},
                      {"ment", "", m1},
                      {"ent", "", m1},
                      {"ion", "", ion},
                      {"ou", "", m1},
                      {"ism", "", m1},
                      {"ate", "", m1},
                      {"iti", "", m1},
                      {"ous", "", m1},
                      {"ive", "", m1},
                      {"ize", "", m1}});
}

std::string final_e(const std::string& word) {  // Step 5a.
  return apply(word, {{"e", "", [](std::string_view stem) {
                         return measure(stem) > 1 || (measure(stem) == 1 && !ends_cvc(stem));
                       }}});
}

std::string final_ll(const std::string& word) {  // Step 5b; the measure includes one l.
  return word.ends_with("ll") && measure(without(word, 1)) > 1 ? word.substr(0, word.size() - 1)
                                                               : word;
}

const std::string* irregular(const std::string& word) {
  static const std::map<std::string, std::string> kForms = {
      {"sky", "sky"},          {"skies", "sky"},       {"dying", "die"},
      {"lying", "lie"},        {"tying", "tie"},       {"news", "news"},
      {"inning", "inning"},    {"innings", "inning"},  {"outing", "outing"},
      {"outings", "outing"},   {"howe", "howe"},       {"canning", "canning"},
      {"cannings", "canning"}, {"proceed", "proceed"}, {"exceed", "exceed"},
      {"succeed", "succeed"}};
  const auto found = kForms.find(word);
  return found == kForms.end() ? nullptr : &found->second;
}

}  // namespace

std::string porter_stem(const std::string& word) {
  if (const std::string* form = irregular(word)) return *form;
  if (word.size() <= 2) return word;
  std::string stem = word;
  for (auto step : {plural, past_and_progressive, final_y, double_suffix, adjective_suffix,
                    bare_suffix, final_e, final_ll}) {
    stem = step(stem);
  }
  return stem;
}

}  // namespace kvcal::text
