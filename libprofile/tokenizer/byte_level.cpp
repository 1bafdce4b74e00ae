// SPDX-License-Identifier: Apache-2.0
#include "tokenizer/byte_level.hpp"

#include <array>
#include <cstdint>

#include "tokenizer/unicode.hpp"

namespace kvcal::byte_level {
namespace {

constexpr uint32_t kAlphabetEnd = 0x144;  // 256 + 68 bytes that are not printable in Latin-1

bool is_printable(uint32_t byte) {
  return (byte >= 0x21 && byte <= 0x7E) || (byte >= 0xA1 && byte <= 0xAC) || byte >= 0xAE;
}

struct Alphabet {
  std::array<uint32_t, 256> character_of{};
  std::array<int16_t, kAlphabetEnd> byte_of{};

  Alphabet() {
    byte_of.fill(-1);
    uint32_t next = 256;
    for (uint32_t byte = 0; byte < 256; ++byte) {
      character_of[byte] = is_printable(byte) ? byte : next++;
      byte_of[character_of[byte]] = static_cast<int16_t>(byte);
    }
  }
};

const Alphabet& alphabet() {
  static const Alphabet instance;
  return instance;
}

}  // namespace

std::string character(unsigned char byte) {
  std::string text;
  unicode::append(text, alphabet().character_of[byte]);
  return text;
}

std::optional<std::string> bytes(std::string_view token) {
  std::string result;
  for (size_t i = 0; i < token.size(); i += unicode::character_bytes(token[i])) {
    const uint32_t character = unicode::first_character(token.substr(i));
    if (character >= kAlphabetEnd || alphabet().byte_of[character] < 0) return std::nullopt;
    result.push_back(static_cast<char>(alphabet().byte_of[character]));
  }
  return result;
}

}  // namespace kvcal::byte_level
