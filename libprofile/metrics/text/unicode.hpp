// SPDX-License-Identifier: Apache-2.0
// Text as the metrics' Python originals see it: a sequence of Unicode code points with Python's
// rules for white space, word characters and lower case.
#pragma once

#include <string>
#include <string_view>
#include <vector>

namespace kvcal::text {

/// Bytes that are not UTF-8 become U+FFFD, one each.
std::u32string code_points(std::string_view utf8);
std::string to_utf8(std::u32string_view text);

bool is_space(char32_t c);  ///< the set of str.split()
bool is_word(char32_t c);   ///< \w of Python's re: alphanumeric or underscore
bool is_digit(char32_t c);  ///< Unicode category Nd, as \d
inline bool is_ascii_punctuation(char32_t c) {
  return (c >= 0x21 && c <= 0x2F) || (c >= 0x3A && c <= 0x40) || (c >= 0x5B && c <= 0x60) ||
         (c >= 0x7B && c <= 0x7E);
}

/// str.lower(): full lower case, with the final sigma.
std::u32string lower(std::u32string_view text);

/// str.split()
std::vector<std::u32string> split(std::u32string_view text);

/// str.split(separator): empty pieces stay.
std::vector<std::u32string> split(std::u32string_view text, char32_t separator);

/// separator.join(pieces)
std::u32string join(const std::vector<std::u32string>& pieces, char32_t separator);

/// str.strip()
std::u32string_view strip(std::u32string_view text);

}  // namespace kvcal::text
