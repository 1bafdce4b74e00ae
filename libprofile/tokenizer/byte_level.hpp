// SPDX-License-Identifier: Apache-2.0
// The byte-level alphabet of GPT-2: each byte is written as one printable character (a space as
// U+0120).
#pragma once

#include <optional>
#include <string>
#include <string_view>

namespace kvcal::byte_level {

/// The character that stands for a byte, in UTF-8.
std::string character(unsigned char byte);

/// Bytes that `token` stands for; nothing when a character is outside the alphabet.
std::optional<std::string> bytes(std::string_view token);

}  // namespace kvcal::byte_level
