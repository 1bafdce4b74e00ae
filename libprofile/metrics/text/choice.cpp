// SPDX-License-Identifier: Apache-2.0
// The answer parser of Attention Matching's QuALITY and LongHealth runs.
#include "metrics/text/choice.hpp"

#include "metrics/text/unicode.hpp"

namespace kvcal::text {
namespace {

constexpr std::u32string_view kThinkOpen = U"<think>", kThinkClose = U"</think>";
constexpr std::u32string_view kMarkers[] = {U"answer:", U"answer is", U"correct option is"};

std::optional<int64_t> option(char32_t lower_letter, int64_t options) {
  const bool is_valid =
      lower_letter >= U'a' && lower_letter < U'a' + static_cast<char32_t>(options);
  if (!is_valid) return std::nullopt;
  return static_cast<int64_t>(lower_letter - U'a') + 1;
}

std::u32string_view trim_left(std::u32string_view text, char32_t c) {
  while (!text.empty() && text.front() == c) text.remove_prefix(1);
  return text;
}

std::u32string_view trim_right(std::u32string_view text, char32_t c) {
  while (!text.empty() && text.back() == c) text.remove_suffix(1);
  return text;
}

/// What counts of a reply: behind the thinking, or its last line; nothing while it still thinks.
std::optional<std::u32string> answer_part(std::u32string_view reply) {
  const size_t close = reply.rfind(kThinkClose);
  if (close != reply.npos) return std::u32string(strip(reply.substr(close + kThinkClose.size())));
  if (reply.find(kThinkOpen) != reply.npos) return std::nullopt;
  std::u32string last;
  for (const auto& line : split(reply, U'\n')) {
    if (!strip(line).empty()) last = strip(line);
  }
  return last;
}

std::optional<int64_t> after_marker(std::u32string_view lowered, int64_t options) {
  for (std::u32string_view marker : kMarkers) {
    const size_t at = lowered.rfind(marker);
    if (at == lowered.npos) continue;
    auto rest = strip(trim_left(strip(lowered.substr(at + marker.size())), U':'));
    std::u32string word(trim_right(rest, U'.'));
    std::erase(word, U'*');
    if (word.empty()) continue;
    // The first character alone decides: "the answer is blue" is B.
    if (const auto found = option(word.front(), options)) return found;
  }
  return std::nullopt;
}

std::optional<int64_t> lone_letter(std::u32string_view lowered, int64_t options) {
  std::u32string word(strip(lowered.substr(0, lowered.find(U'.'))));
  std::erase(word, U'*');
  return word.size() == 1 ? option(word.front(), options) : std::nullopt;
}

std::optional<int64_t> last_capital(std::u32string_view text, int64_t options) {
  const auto is_letter = [](char32_t c) {
    return (c >= U'a' && c <= U'z') || (c >= U'A' && c <= U'Z');
  };
  std::optional<int64_t> last;
  for (size_t i = 0; i < text.size(); ++i) {
    const bool is_alone =
        (i == 0 || !is_letter(text[i - 1])) && (i + 1 == text.size() || !is_letter(text[i + 1]));
    if (text[i] < U'A' || text[i] > U'Z' || !is_alone) continue;
    if (const auto found = option(text[i] - U'A' + U'a', options)) last = found;
  }
  return last;
}

}  // namespace

std::optional<int64_t> parse_choice(std::string_view reply, int64_t options) {
  const auto answer = answer_part(code_points(reply));
  if (!answer) return std::nullopt;
  const std::u32string lowered = lower(*answer);
  if (const auto found = after_marker(lowered, options)) return found;
  if (const auto found = lone_letter(lowered, options)) return found;
  return last_capital(*answer, options);
}

}  // namespace kvcal::text
