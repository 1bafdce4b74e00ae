// SPDX-License-Identifier: Apache-2.0
// UTF-8 as the tokenizer needs it: stepping, checking, replacing, and three character classes.
#pragma once

#include <cstddef>
#include <cstdint>
#include <string>
#include <string_view>

namespace kvcal::unicode {

/// Bytes of the character that starts with `lead`, in valid UTF-8.
inline size_t character_bytes(char lead) {
  const auto byte = static_cast<unsigned char>(lead);
  return byte < 0x80 ? 1 : byte < 0xE0 ? 2 : byte < 0xF0 ? 3 : 4;
}

/// The byte is not the first one of its character.
inline bool is_continuation(char byte) {
  return (static_cast<unsigned char>(byte) & 0xC0) == 0x80;
}

/// @param text  valid UTF-8, not empty
uint32_t first_character(std::string_view text);
uint32_t last_character(std::string_view text);
void append(std::string& text, uint32_t character);

/// First byte that is not part of valid UTF-8; text.size() when all is valid.
size_t first_invalid(std::string_view text);

/// Each maximal invalid part becomes one U+FFFD, as Rust's String::from_utf8_lossy does.
std::string replace_invalid(std::string_view text);

/// Unicode White_Space (what `\s` is in the tokenizers library).
bool is_space(uint32_t character);
/// Categories Nd, Nl, No.
bool is_numeric(uint32_t character);
/// What `\w` is: Alphabetic, M, Nd, Pc, joiners.
bool is_word(uint32_t character);

}  // namespace kvcal::unicode
