// SPDX-License-Identifier: Apache-2.0
#include "ruler/haystack.hpp"

#include <algorithm>

#include "kvcal/profile/needle.hpp"
#include "kvcal/profile/resources.hpp"
#include "needle/placement.hpp"

namespace kvcal::ruler {
namespace {

constexpr std::string_view kWhitespace = " \t\r\n", kSentenceEnds = ".!?";

bool is_one_of(char c, std::string_view set) {
  return set.find(c) != std::string_view::npos;
}

}  // namespace

const std::string_view kFiller =
    "The kettle is warm. The path is dry. The clock is slow. On we go. Home again by dusk.";

std::vector<std::string> split_sentences(std::string_view text) {
  std::vector<std::string> sentences;
  size_t begin = 0;
  for (size_t i = 0; i < text.size(); ++i) {
    const bool is_last = i + 1 == text.size();
    const bool ends = is_one_of(text[i], kSentenceEnds) &&
                      (is_last || is_one_of(text[i + 1], kWhitespace)) &&
                      !(text[i] == '.' && ends_in_abbreviation(text.substr(begin, i + 1 - begin)));
    if (!ends && !is_last) continue;
    const size_t next = std::min(text.find_first_not_of(kWhitespace, i + 1), text.size());
    sentences.emplace_back(text.substr(begin, next - begin));
    begin = next;
    i = next - 1;
  }
  return sentences;
}

std::vector<std::string> split_paragraphs(std::string_view text) {
  std::vector<std::string> paragraphs;
  while (!text.empty()) {
    const size_t end = std::min(text.find("\n\n"), text.size());
    if (end > 0) paragraphs.emplace_back(text.substr(0, end));
    text.remove_prefix(end);
    text.remove_prefix(std::min(text.find_first_not_of('\n'), text.size()));
  }
  return paragraphs;
}

std::string load_essays() {
  std::string text;
  for (const Haystack& haystack : load_haystacks(resource("data/haystacks/evaluation"))) {
    text += haystack.text;
  }
  text.erase(text.find_last_not_of(kWhitespace) + 1);
  return text + "\n\n";
}

std::string weave(std::span<const std::string> pieces, std::span<const std::string> lines,
                  std::span<const int64_t> positions) {
  std::string text;
  size_t line = 0;
  for (size_t i = 0; i <= pieces.size(); ++i) {
    for (; line < lines.size() && positions[line] == static_cast<int64_t>(i); ++line) {
      text += lines[line];
    }
    if (i < pieces.size()) text += pieces[i];
  }
  return text;
}

std::vector<int64_t> draw_positions(Dice& dice, int64_t count, int64_t pieces) {
  std::vector<int64_t> positions = dice.distinct(count, pieces + 1);
  std::sort(positions.begin(), positions.end());
  return positions;
}

std::vector<int64_t> draw_depths(Dice& dice, int64_t count, int64_t pieces) {
  std::vector<int64_t> positions = dice.distinct(count, kDepths);
  for (int64_t& position : positions) position = position * pieces / (kDepths - 1);
  std::sort(positions.begin(), positions.end());
  return positions;
}

}  // namespace kvcal::ruler
