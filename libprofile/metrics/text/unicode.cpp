// SPDX-License-Identifier: Apache-2.0
#include "metrics/text/unicode.hpp"

#include <utf8proc.h>

#include <algorithm>

namespace kvcal::text {
namespace {

constexpr char32_t kReplacement = 0xFFFD;

utf8proc_category_t category(char32_t c) {
  return utf8proc_category(static_cast<utf8proc_int32_t>(c));
}

/// Unicode property Cased, less the modifier letters: those are case-ignorable and are asked for
/// first.
bool is_cased(char32_t c) {
  switch (category(c)) {
    case UTF8PROC_CATEGORY_LU:
    case UTF8PROC_CATEGORY_LL:
    case UTF8PROC_CATEGORY_LT:
      return true;
    default:  // Other_Uppercase and Other_Lowercase: ordinals, Roman numerals, circled letters.
      return c == 0xAA || c == 0xBA || (c >= 0x2160 && c <= 0x217F) ||
             (c >= 0x24B6 && c <= 0x24E9) || (c >= 0x1F130 && c <= 0x1F149) ||
             (c >= 0x1F150 && c <= 0x1F169) || (c >= 0x1F170 && c <= 0x1F189);
  }
}

/// Unicode property Case_Ignorable.
bool is_case_ignorable(char32_t c) {
  switch (category(c)) {
    case UTF8PROC_CATEGORY_MN:
    case UTF8PROC_CATEGORY_ME:
    case UTF8PROC_CATEGORY_CF:
    case UTF8PROC_CATEGORY_LM:
    case UTF8PROC_CATEGORY_SK:
      return true;
    default:  // Word_Break = MidLetter, MidNumLet or Single_Quote.
      static constexpr std::u32string_view kInsideWords =
          U"'.:"
          U"\u00B7\u0387\u055F\u05F4\u2018\u2019\u2024\u2027\uFE13\uFE52\uFE55\uFF07\uFF0E\uFF1A";
      return kInsideWords.find(c) != std::u32string_view::npos;
  }
}

/// Final_Sigma: a cased letter before and none after, case-ignorable characters aside.
bool is_final_sigma(std::u32string_view text, size_t at) {
  const auto before = std::find_if_not(text.rbegin() + static_cast<ptrdiff_t>(text.size() - at),
                                       text.rend(), is_case_ignorable);
  if (before == text.rend() || !is_cased(*before)) return false;
  const auto after = std::find_if_not(text.begin() + static_cast<ptrdiff_t>(at + 1), text.end(),
                                      is_case_ignorable);
  return after == text.end() || !is_cased(*after);
}

}  // namespace

std::u32string code_points(std::string_view utf8) {
  std::u32string text;
  text.reserve(utf8.size());
  const auto* bytes = reinterpret_cast<const utf8proc_uint8_t*>(utf8.data());
  for (size_t at = 0; at < utf8.size();) {
    utf8proc_int32_t c = 0;
    const auto length =
        utf8proc_iterate(bytes + at, static_cast<utf8proc_ssize_t>(utf8.size() - at), &c);
    text += length > 0 ? static_cast<char32_t>(c) : kReplacement;
    at += length > 0 ? static_cast<size_t>(length) : 1;
  }
  return text;
}

std::string to_utf8(std::u32string_view text) {
  std::string utf8;
  for (char32_t c : text) {
    utf8proc_uint8_t bytes[4];
    const auto length = utf8proc_encode_char(static_cast<utf8proc_int32_t>(c), bytes);
    utf8.append(reinterpret_cast<const char*>(bytes), static_cast<size_t>(length));
  }
  return utf8;
}

bool is_space(char32_t c) {
  return (c >= 0x09 && c <= 0x0D) || (c >= 0x1C && c <= 0x20) || c == 0x85 || c == 0xA0 ||
         c == 0x1680 || (c >= 0x2000 && c <= 0x200A) || c == 0x2028 || c == 0x2029 || c == 0x202F ||
         c == 0x205F || c == 0x3000;
}

bool is_word(char32_t c) {
  switch (category(c)) {
    case UTF8PROC_CATEGORY_LU:
    case UTF8PROC_CATEGORY_LL:
    case UTF8PROC_CATEGORY_LT:
    case UTF8PROC_CATEGORY_LM:
    case UTF8PROC_CATEGORY_LO:
    case UTF8PROC_CATEGORY_ND:
    case UTF8PROC_CATEGORY_NL:
    case UTF8PROC_CATEGORY_NO:
      return true;
    default:
      return c == U'_';
  }
}

bool is_digit(char32_t c) {
  return category(c) == UTF8PROC_CATEGORY_ND;
}

std::u32string lower(std::u32string_view text) {
  std::u32string lowered;
  lowered.reserve(text.size());
  for (size_t i = 0; i < text.size(); ++i) {
    switch (text[i]) {
      case 0x0130:  // The one capital whose full lower case is two code points.
        lowered += U"i\u0307";
        break;
      case 0x03A3:
        lowered += is_final_sigma(text, i) ? U'\u03C2' : U'\u03C3';
        break;
      default:
        lowered += static_cast<char32_t>(utf8proc_tolower(static_cast<utf8proc_int32_t>(text[i])));
    }
  }
  return lowered;
}

std::vector<std::u32string> split(std::u32string_view text) {
  std::vector<std::u32string> words;
  for (auto begin = text.begin(); begin != text.end();) {
    begin = std::find_if_not(begin, text.end(), is_space);
    const auto end = std::find_if(begin, text.end(), is_space);
    if (begin != end) words.emplace_back(begin, end);
    begin = end;
  }
  return words;
}

std::vector<std::u32string> split(std::u32string_view text, char32_t separator) {
  std::vector<std::u32string> pieces;
  while (true) {
    const size_t end = text.find(separator);
    pieces.emplace_back(text.substr(0, end));
    if (end == std::u32string_view::npos) return pieces;
    text.remove_prefix(end + 1);
  }
}

std::u32string join(const std::vector<std::u32string>& pieces, char32_t separator) {
  std::u32string text;
  for (const auto& piece : pieces) {
    if (&piece != &pieces.front()) text += separator;
    text += piece;
  }
  return text;
}

std::u32string_view strip(std::u32string_view text) {
  while (!text.empty() && is_space(text.front())) text.remove_prefix(1);
  while (!text.empty() && is_space(text.back())) text.remove_suffix(1);
  return text;
}

}  // namespace kvcal::text
