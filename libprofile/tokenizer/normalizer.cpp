// SPDX-License-Identifier: Apache-2.0
#include "tokenizer/normalizer.hpp"

#include <utf8proc.h>

#include <algorithm>
#include <cstdlib>
#include <iterator>

#include "tokenizer/unicode.hpp"

namespace kvcal {
namespace {

/// Below U+0300 nothing composes, decomposes or is reordered in NFC.
bool is_surely_nfc(std::string_view text) {
  for (char c : text) {
    if (static_cast<unsigned char>(c) >= 0xCC) return false;
  }
  return true;
}

struct ScalarRange {
  uint32_t low, high;
};

// The tokenizers library normalises by Unicode 9: combining marks that came later stay where they
// are, and U+11938 is neither composed nor decomposed. Checked against tokenizers 0.22.2 for every
// mark.
constexpr ScalarRange kUnknownToLibrary[] = {
    {0x7FD, 0x7FD},     {0x898, 0x89F},     {0x8CA, 0x8D3},     {0x9FE, 0x9FE},
    {0xC3C, 0xC3C},     {0xD3B, 0xD3C},     {0xEBA, 0xEBA},     {0x1715, 0x1715},
    {0x1ABF, 0x1ACE},   {0x1DF6, 0x1DFA},   {0xA82C, 0xA82C},   {0x10D24, 0x10D27},
    {0x10EAB, 0x10EAC}, {0x10EFD, 0x10EFF}, {0x10F46, 0x10F50}, {0x10F82, 0x10F85},
    {0x11070, 0x11070}, {0x1133B, 0x1133B}, {0x1145E, 0x1145E}, {0x11839, 0x1183A},
    {0x11930, 0x11930}, {0x11938, 0x11938}, {0x1193D, 0x1193E}, {0x11943, 0x11943},
    {0x119E0, 0x119E0}, {0x11A34, 0x11A34}, {0x11A47, 0x11A47}, {0x11A99, 0x11A99},
    {0x11D42, 0x11D42}, {0x11D44, 0x11D45}, {0x11D97, 0x11D97}, {0x11F41, 0x11F42},
    {0x16FF0, 0x16FF1}, {0x1E08F, 0x1E08F}, {0x1E130, 0x1E136}, {0x1E2AE, 0x1E2AE},
    {0x1E2EC, 0x1E2EF}, {0x1E4EC, 0x1E4EF}};

bool is_kept(uint32_t character) {
  // Nearly all text is below the first or between; the table is in order.
  const auto* range =
      std::lower_bound(std::begin(kUnknownToLibrary), std::end(kUnknownToLibrary), character,
                       [](const ScalarRange& entry, uint32_t value) { return entry.high < value; });
  return range != std::end(kUnknownToLibrary) && range->low <= character;
}

/// Appends the normal form of `text`.
void append_nfc(std::string_view text, std::string& out) {
  if (is_surely_nfc(text)) {
    out.append(text);
    return;
  }
  utf8proc_uint8_t* result = nullptr;
  const auto options = static_cast<utf8proc_option_t>(UTF8PROC_STABLE | UTF8PROC_COMPOSE);
  const auto bytes = utf8proc_map(reinterpret_cast<const utf8proc_uint8_t*>(text.data()),
                                  static_cast<utf8proc_ssize_t>(text.size()), &result, options);
  require(bytes >= 0, Kind::internal, "NFC of {} bytes: {}", text.size(), utf8proc_errmsg(bytes));
  out.append(reinterpret_cast<const char*>(result), static_cast<size_t>(bytes));
  std::free(result);
}

std::string to_nfc(std::string_view text) {
  std::string result;
  result.reserve(text.size());
  size_t begin = 0;
  for (size_t i = 0; i < text.size();) {
    const size_t bytes = unicode::character_bytes(text[i]);
    if (bytes > 1 && is_kept(unicode::first_character(text.substr(i)))) {
      append_nfc(text.substr(begin, i - begin), result);
      result.append(text.substr(i, bytes));
      begin = i + bytes;
    }
    i += bytes;
  }
  append_nfc(text.substr(begin), result);
  return result;
}

}  // namespace

void require_shallow(const JsonPart& part, int depth) {
  require(depth < 8, Kind::input, "{}: nested deeper than 8 sequences", part.where());
}

Regex read_pattern(const JsonPart& part) {
  const JsonPart pattern = part.object("pattern");
  if (!pattern.has("String")) return Regex::compile(pattern.text("Regex"), pattern.where());
  const std::string text = pattern.text("String");
  require(!text.empty(), Kind::input, "{}.String is empty, need text", pattern.where());
  return Regex::literal(text);
}

void Normalizer::add(const JsonPart& part, int depth) {
  require_shallow(part, depth);
  const std::string type = part.text("type");
  if (type == "Sequence") {
    for (const JsonPart& item : part.items("normalizers")) add(item, depth + 1);
  } else if (type == "NFC") {
    steps_.push_back({Action::nfc, "", {}});
  } else if (type == "Prepend") {
    steps_.push_back({Action::prepend, part.text("prepend"), {}});
  } else if (type == "Replace") {
    steps_.push_back({Action::replace, part.text("content"), {}});
    steps_.back().pattern.push_back(read_pattern(part));
  } else {
    part.unsupported("normalizer", type, "NFC, Prepend, Replace, Sequence");
  }
}

std::string Normalizer::apply(std::string_view text) const {
  std::string result(text);
  for (const Step& step : steps_) {
    switch (step.action) {
      case Action::nfc:
        result = to_nfc(result);
        break;
      case Action::prepend:
        if (!result.empty()) result.insert(0, step.content);
        break;
      case Action::replace:
        result = step.pattern[0].replace_all(result, step.content);
        break;
    }
  }
  return result;
}

}  // namespace kvcal
