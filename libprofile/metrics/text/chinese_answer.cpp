// SPDX-License-Identifier: Apache-2.0
#include "metrics/text/chinese_answer.hpp"

#include <algorithm>

#include "metrics/text/overlap.hpp"
#include "metrics/text/unicode.hpp"

namespace kvcal::text {
namespace {

/// LongBench's own list. The left double angle bracket (300A) and the full-width period (FF0E) are
/// not in it.
bool is_chinese_punctuation(char32_t c) {
  static constexpr std::pair<char32_t, char32_t> kRanges[] = {
      {0x2013, 0x2014}, {0x2018, 0x2019}, {0x201B, 0x201F}, {0x2026, 0x2027}, {0x3001, 0x3003},
      {0x300B, 0x3011}, {0x3014, 0x301F}, {0x3030, 0x3030}, {0x303E, 0x303F}, {0xFE4F, 0xFE4F},
      {0xFF01, 0xFF0D}, {0xFF0F, 0xFF0F}, {0xFF1A, 0xFF20}, {0xFF3B, 0xFF40}, {0xFF5B, 0xFF64}};
  return std::any_of(std::begin(kRanges), std::end(kRanges),
                     [c](const auto& range) { return c >= range.first && c <= range.second; });
}

std::vector<std::u32string> normalized(const std::vector<std::u32string>& tokens) {
  std::vector<std::u32string> kept;
  for (const auto& token : tokens) {
    std::u32string word = lower(token);
    std::erase_if(word, [](char32_t c) {
      return is_ascii_punctuation(c) || is_chinese_punctuation(c) || is_space(c);
    });
    if (!word.empty()) kept.push_back(std::move(word));
  }
  return kept;
}

}  // namespace

double chinese_answer_f1(const std::vector<std::u32string>& predicted,
                         const std::vector<std::u32string>& wanted) {
  return bag_f1(normalized(predicted), normalized(wanted));
}

}  // namespace kvcal::text
