// SPDX-License-Identifier: Apache-2.0
#include "metrics/text/jieba.hpp"

#include <cstdlib>

#include "kvcal/compress/error.hpp"
#include "kvcal/profile/resources.hpp"
#include "metrics/text/unicode.hpp"

namespace kvcal::text {
namespace {

namespace fs = std::filesystem;

/// Characters that the dictionary and the HMM look at; all others stand alone.
bool is_of_block(char32_t c) {
  static constexpr std::u32string_view kSigns = U"+#&._%-";
  return is_han(c) || (c >= U'0' && c <= U'9') || (c >= U'A' && c <= U'Z') ||
         (c >= U'a' && c <= U'z') || kSigns.find(c) != kSigns.npos;
}

fs::path shared_folder() {
  if (const char* given = std::getenv("KVCAL_JIEBA"); given != nullptr && *given != '\0') {
    return given;
  }
  const fs::path folder = resource("data") / "jieba";
  require(fs::exists(folder / "dict.txt"), Kind::input,
          "{}: not there; Chinese metrics need jieba's dictionary: run `./dev jieba`, or name its "
          "folder in $KVCAL_JIEBA",
          folder.string());
  return folder;
}

}  // namespace

Jieba::Jieba(const fs::path& folder)
    : dictionary_(folder / "dict.txt"), hmm_(folder / "hmm.json") {}

const Jieba& Jieba::shared() {
  static const Jieba jieba(shared_folder());
  return jieba;
}

std::vector<std::u32string> Jieba::cut(std::u32string_view text) const {
  std::vector<std::u32string> tokens;
  for (size_t begin = 0; begin < text.size();) {
    if (is_of_block(text[begin])) {
      size_t end = begin + 1;
      while (end < text.size() && is_of_block(text[end])) ++end;
      cut_block(text.substr(begin, end - begin), tokens);
      begin = end;
      continue;
    }
    const size_t length = text.substr(begin).starts_with(U"\r\n") ? 2 : 1;
    tokens.emplace_back(text.substr(begin, length));
    begin += length;
  }
  return tokens;
}

/// Where the word ends that begins at each place of the most probable sequence of words.
std::vector<size_t> Jieba::best_word_ends(std::u32string_view block) const {
  std::vector<double> score(block.size() + 1, 0);
  std::vector<size_t> ends(block.size());
  for (size_t begin = block.size(); begin-- > 0;) {
    const auto rest = block.substr(begin);
    ends[begin] = 0;
    const auto consider = [&](size_t length) {
      const double sum = dictionary_.log_share(rest.substr(0, length)) + score[begin + length];
      // On equal scores the longer word wins.
      if (ends[begin] != 0 && sum < score[begin]) return;
      score[begin] = sum;
      ends[begin] = begin + length;
    };
    dictionary_.for_each_prefix_word(rest, consider);
    if (ends[begin] == 0) consider(1);
  }
  return ends;
}

void Jieba::cut_block(std::u32string_view block, std::vector<std::u32string>& tokens) const {
  const std::vector<size_t> ends = best_word_ends(block);
  size_t singles = 0;  // where a run of words of one character begins
  for (size_t begin = 0; begin < block.size(); begin = ends[begin]) {
    if (ends[begin] == begin + 1) continue;
    cut_singles(block.substr(singles, begin - singles), tokens);
    tokens.emplace_back(block.substr(begin, ends[begin] - begin));
    singles = ends[begin];
  }
  cut_singles(block.substr(singles), tokens);
}

/// Single characters in a row may be a word that the dictionary lacks.
void Jieba::cut_singles(std::u32string_view run, std::vector<std::u32string>& tokens) const {
  if (run.size() > 1 && dictionary_.frequency(run) == 0) return hmm_.cut(run, tokens);
  for (char32_t c : run) tokens.emplace_back(1, c);
}

}  // namespace kvcal::text
