// SPDX-License-Identifier: Apache-2.0
#include "report/text/escape.hpp"

#include "metrics/text/unicode.hpp"

namespace kvcal::report {
namespace {

constexpr char32_t kReplacement = 0xFFFD;

bool is_control(char32_t c) {
  return c < 0x20 || (c >= 0x7F && c < 0xA0) || c == 0x2028 || c == 0x2029;
}

/// Characters of explicit direction would turn the text around them, too.
bool is_direction(char32_t c) {
  return (c >= 0x202A && c <= 0x202E) || (c >= 0x2066 && c <= 0x2069);
}

bool is_forbidden_in_xml(char32_t c) {
  return (c >= 0xD800 && c <= 0xDFFF) || (c & 0xFFFE) == 0xFFFE;
}

std::u32string clean(std::string_view text, bool keeps_lines) {
  std::u32string clean = text::code_points(text);
  for (char32_t& c : clean) {
    if (keeps_lines && (c == '\n' || c == '\t')) continue;
    if (is_control(c)) c = ' ';
    if (is_forbidden_in_xml(c) || is_direction(c)) c = kReplacement;
  }
  return clean;
}

std::string cut(std::u32string text, size_t characters) {
  if (text.size() > characters) text = text.substr(0, characters - 1) + U"\u2026";
  return text::to_utf8(text);
}

}  // namespace

std::string printable(std::string_view text) {
  return text::to_utf8(clean(text, false));
}

std::string escape_html(std::string_view text) {
  std::string escaped;
  for (char c : text::to_utf8(clean(text, true))) {
    switch (c) {
      case '&':
        escaped += "&amp;";
        break;
      case '<':
        escaped += "&lt;";
        break;
      case '>':
        escaped += "&gt;";
        break;
      case '"':
        escaped += "&quot;";
        break;
      case '\'':
        escaped += "&#39;";
        break;
      default:
        escaped += c;
    }
  }
  return escaped;
}

std::string escape_markdown(std::string_view text) {
  constexpr std::string_view kSpecial = "\\`*_{}[]<>()#+!|~$&@:";
  std::string escaped;
  for (char c : printable(text)) {
    if (kSpecial.find(c) != std::string_view::npos) escaped += '\\';
    escaped += c;
  }
  return escaped;
}

std::string shorten(std::string_view text, size_t characters) {
  return cut(clean(text, false), characters);
}

std::string shorten_lines(std::string_view text, size_t characters) {
  return cut(clean(text, true), characters);
}

size_t width_of(std::string_view text) {
  return text::code_points(text).size();
}

std::string slug(std::string_view text) {
  std::string name;
  for (char c : text) {
    const bool is_letter = (c >= 'a' && c <= 'z') || (c >= '0' && c <= '9');
    const bool is_capital = c >= 'A' && c <= 'Z';
    if (is_letter) name += c;
    if (is_capital) name += static_cast<char>(c - 'A' + 'a');
    if (!is_letter && !is_capital && !name.empty() && name.back() != '-') name += '-';
  }
  while (!name.empty() && name.back() == '-') name.pop_back();
  return name.empty() ? "x" : name;
}

}  // namespace kvcal::report
