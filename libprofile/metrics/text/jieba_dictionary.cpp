// SPDX-License-Identifier: Apache-2.0
#include "metrics/text/jieba_dictionary.hpp"

#include <algorithm>
#include <charconv>
#include <cmath>
#include <fstream>

#include "kvcal/compress/error.hpp"
#include "metrics/text/unicode.hpp"

namespace kvcal::text {

JiebaDictionary::JiebaDictionary(const std::filesystem::path& file) {
  std::ifstream stream(file, std::ios::binary);
  require(stream.good(), Kind::input,
          "{}: cannot be read, need jieba's dictionary (`./dev jieba` fetches it)", file.string());
  int64_t total = 0, number = 0;
  for (std::string line; std::getline(stream, line);) {
    ++number;
    const size_t space = line.find(' ');
    int64_t frequency = -1;
    if (space != std::string::npos) {
      std::from_chars(line.data() + space + 1, line.data() + line.size(), frequency);
    }
    require(frequency >= 0, Kind::input, "{}:{}: '{}', need `word frequency tag`", file.string(),
            number, line);
    entries_.push_back({code_points(std::string_view(line).substr(0, space)), frequency});
    total += frequency;
  }
  require(total > 0, Kind::input, "{}: no words, need jieba's dictionary", file.string());
  log_total_ = std::log(static_cast<double>(total));
  // A word given twice has its later frequency, though both count in the total.
  const auto by_word = [](const Entry& a, const Entry& b) { return a.word < b.word; };
  std::stable_sort(entries_.begin(), entries_.end(), by_word);
  const auto kept = std::unique(entries_.rbegin(), entries_.rend(),
                                [](const auto& a, const auto& b) { return a.word == b.word; });
  entries_.erase(entries_.begin(), kept.base());
}

std::span<const JiebaDictionary::Entry> JiebaDictionary::with_character(
    std::span<const Entry> entries, size_t at, char32_t character) {
  const auto begin = std::partition_point(entries.begin(), entries.end(), [=](const Entry& entry) {
    return entry.word.size() <= at || entry.word[at] < character;
  });
  const auto end = std::partition_point(
      begin, entries.end(), [=](const Entry& entry) { return entry.word[at] == character; });
  return {begin, end};
}

int64_t JiebaDictionary::frequency(std::u32string_view word) const {
  const auto found = std::lower_bound(
      entries_.begin(), entries_.end(), word,
      [](const Entry& entry, std::u32string_view wanted) { return entry.word < wanted; });
  return found == entries_.end() || found->word != word ? 0 : found->frequency;
}

double JiebaDictionary::log_share(std::u32string_view word) const {
  const int64_t known = frequency(word);
  return std::log(static_cast<double>(known > 0 ? known : 1)) - log_total_;
}

}  // namespace kvcal::text
