// SPDX-License-Identifier: Apache-2.0
#include "tokenizer/unicode.hpp"

#include <utf8proc.h>

namespace kvcal::unicode {
namespace {

unsigned char byte_at(std::string_view text, size_t i) {
  return i < text.size() ? static_cast<unsigned char>(text[i]) : 0;
}

bool is_continuation(unsigned char byte) {
  return (byte & 0xC0) == 0x80;
}

/// The second byte narrows what overlong forms, surrogates and the end of Unicode forbid.
bool is_second(unsigned char lead, unsigned char second) {
  switch (lead) {
    case 0xE0:
      return second >= 0xA0 && second <= 0xBF;
    case 0xED:
      return second >= 0x80 && second <= 0x9F;
    case 0xF0:
      return second >= 0x90 && second <= 0xBF;
    case 0xF4:
      return second >= 0x80 && second <= 0x8F;
    default:
      return (second & 0xC0) == 0x80;
  }
}

struct Step {
  size_t bytes;  // of the character, or of the maximal invalid part
  bool is_valid;
};

Step step(std::string_view text, size_t i) {
  const unsigned char lead = byte_at(text, i);
  if (lead < 0x80) return {1, true};
  const size_t bytes = lead < 0xC2 ? 0 : lead < 0xE0 ? 2 : lead < 0xF0 ? 3 : lead < 0xF5 ? 4 : 0;
  if (bytes == 0 || !is_second(lead, byte_at(text, i + 1))) return {1, false};
  for (size_t k = 2; k < bytes; ++k) {
    if (i + k >= text.size() || !is_continuation(text[i + k])) return {k, false};
  }
  return {bytes, true};
}

struct Range {
  uint32_t low, high;
};

// Numbers of Unicode 16 and 17, which Rust's char::is_numeric knows and utf8proc 2.8 does not.
constexpr Range kNewNumbers[] = {{0x10D40, 0x10D49}, {0x116D0, 0x116E3}, {0x11BF0, 0x11BF9},
                                 {0x11DE0, 0x11DE9}, {0x16130, 0x16139}, {0x16D70, 0x16D79},
                                 {0x16FF4, 0x16FF6}, {0x1CCF0, 0x1CCF9}, {0x1E5F1, 0x1E5FA}};

bool is_between(uint32_t character, uint32_t low, uint32_t high) {
  return character >= low && character <= high;
}

}  // namespace

uint32_t first_character(std::string_view text) {
  const size_t bytes = character_bytes(text[0]);
  if (bytes == 1) return static_cast<unsigned char>(text[0]);
  uint32_t character = byte_at(text, 0) & (0xFFu >> (bytes + 1));
  for (size_t k = 1; k < bytes; ++k) character = (character << 6) | (byte_at(text, k) & 0x3Fu);
  return character;
}

uint32_t last_character(std::string_view text) {
  size_t start = text.size() - 1;
  while (start > 0 && is_continuation(text[start])) --start;
  return first_character(text.substr(start));
}

void append(std::string& text, uint32_t character) {
  utf8proc_uint8_t bytes[4];
  const auto count = utf8proc_encode_char(static_cast<utf8proc_int32_t>(character), bytes);
  text.append(reinterpret_cast<const char*>(bytes), static_cast<size_t>(count));
}

size_t first_invalid(std::string_view text) {
  for (size_t i = 0; i < text.size();) {
    const Step next = step(text, i);
    if (!next.is_valid) return i;
    i += next.bytes;
  }
  return text.size();
}

std::string replace_invalid(std::string_view text) {
  std::string result;
  size_t copied = 0;
  for (size_t i = 0; i < text.size();) {
    const Step next = step(text, i);
    if (!next.is_valid) {
      result.append(text.substr(copied, i - copied)).append("\xEF\xBF\xBD");
      copied = i + next.bytes;
    }
    i += next.bytes;
  }
  return result.append(text.substr(std::min(copied, text.size())));
}

bool is_space(uint32_t c) {
  return is_between(c, 0x9, 0xD) || c == 0x20 || c == 0x85 || c == 0xA0 || c == 0x1680 ||
         is_between(c, 0x2000, 0x200A) || c == 0x2028 || c == 0x2029 || c == 0x202F ||
         c == 0x205F || c == 0x3000;
}

bool is_numeric(uint32_t character) {
  for (const Range& range : kNewNumbers) {
    if (is_between(character, range.low, range.high)) return true;
  }
  const auto category = utf8proc_category(static_cast<utf8proc_int32_t>(character));
  return category == UTF8PROC_CATEGORY_ND || category == UTF8PROC_CATEGORY_NL ||
         category == UTF8PROC_CATEGORY_NO;
}

bool is_word(uint32_t c) {
  // Other_Alphabetic beyond the marks: enclosed letters, which are symbols by category.
  if (is_between(c, 0x24B6, 0x24E9) || is_between(c, 0x1F130, 0x1F149) ||
      is_between(c, 0x1F150, 0x1F169) || is_between(c, 0x1F170, 0x1F189)) {
    return true;
  }
  if (c == 0x200C || c == 0x200D) return true;
  switch (utf8proc_category(static_cast<utf8proc_int32_t>(c))) {
    case UTF8PROC_CATEGORY_LU:
    case UTF8PROC_CATEGORY_LL:
    case UTF8PROC_CATEGORY_LT:
    case UTF8PROC_CATEGORY_LM:
    case UTF8PROC_CATEGORY_LO:
    case UTF8PROC_CATEGORY_MN:
    case UTF8PROC_CATEGORY_MC:
    case UTF8PROC_CATEGORY_ME:
    case UTF8PROC_CATEGORY_ND:
    case UTF8PROC_CATEGORY_NL:
    case UTF8PROC_CATEGORY_PC:
      return true;
    default:
      return false;
  }
}

}  // namespace kvcal::unicode
