// SPDX-License-Identifier: Apache-2.0
#include "tokenizer/normalizer.hpp"

#include <utf8proc.h>

#include <cstdlib>

namespace kvcal {
namespace {

/// Below U+0300 nothing composes, decomposes or is reordered in NFC.
bool is_surely_nfc(std::string_view text) {
  for (char c : text) {
    if (static_cast<unsigned char>(c) >= 0xCC) return false;
  }
  return true;
}

std::string to_nfc(std::string_view text) {
  if (is_surely_nfc(text)) return std::string(text);
  utf8proc_uint8_t* result = nullptr;
  const auto options = static_cast<utf8proc_option_t>(UTF8PROC_STABLE | UTF8PROC_COMPOSE);
  const auto bytes = utf8proc_map(reinterpret_cast<const utf8proc_uint8_t*>(text.data()),
                                  static_cast<utf8proc_ssize_t>(text.size()), &result, options);
  require(bytes >= 0, Kind::internal, "NFC of {} bytes: {}", text.size(), utf8proc_errmsg(bytes));
  std::string normalized(reinterpret_cast<const char*>(result), static_cast<size_t>(bytes));
  std::free(result);
  return normalized;
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
