// SPDX-License-Identifier: Apache-2.0
#include "metrics/text/rouge.hpp"

#include <algorithm>
#include <map>
#include <set>
#include <string>
#include <vector>

#include "metrics/text/jieba.hpp"
#include "metrics/text/overlap.hpp"
#include "metrics/text/unicode.hpp"

namespace kvcal::text {
namespace {

using Words = std::vector<int32_t>;  // interned: equal numbers are equal words

class Interner {
 public:
  int32_t operator()(std::u32string word) {
    return known_.emplace(std::move(word), static_cast<int32_t>(known_.size())).first->second;
  }

 private:
  std::map<std::u32string, int32_t> known_;
};

/// Split at periods, white space collapsed. A piece of white space alone is a sentence of one empty
/// word.
std::vector<Words> sentences(std::u32string_view text, Interner& intern) {
  std::vector<Words> sentences;
  for (const auto& piece : split(text, U'.')) {
    if (piece.empty()) continue;
    auto words = split(piece);
    if (words.empty()) words.emplace_back();
    auto& sentence = sentences.emplace_back();
    for (auto& word : words) sentence.push_back(intern(std::move(word)));
  }
  return sentences;
}

size_t distinct_words(const std::vector<Words>& sentences) {
  std::set<int32_t> all;
  for (const auto& words : sentences) all.insert(words.begin(), words.end());
  return all.size();
}

/// Adds the words of one longest common subsequence to `found`. Which one: equal words go
/// diagonally, else to the larger neighbour, on ties to the shorter prediction.
/// @return  calls that the recursive trace back takes
int64_t add_common_subsequence(const Words& reference, const Words& prediction,
                               std::set<int32_t>& found) {
  const size_t width = prediction.size() + 1;
  std::vector<int32_t> length((reference.size() + 1) * width);  // [reference + 1, prediction + 1]
  for (size_t i = 1; i <= reference.size(); ++i) {
    for (size_t j = 1; j <= prediction.size(); ++j) {
      length[i * width + j] =
          reference[i - 1] == prediction[j - 1]
              ? length[(i - 1) * width + j - 1] + 1
              : std::max(length[(i - 1) * width + j], length[i * width + j - 1]);
    }
  }
  int64_t calls = 1;
  for (size_t i = reference.size(), j = prediction.size(); i > 0 && j > 0; ++calls) {
    if (reference[i - 1] == prediction[j - 1]) {
      found.insert(reference[--i]);
      --j;
    } else if (length[(i - 1) * width + j] > length[i * width + j - 1]) {
      --i;
    } else {
      --j;
    }
  }
  return calls;
}

}  // namespace

double rouge_l(std::u32string_view prediction, std::u32string_view reference, int64_t call_limit) {
  Interner intern;
  const auto wanted = sentences(reference, intern), predicted = sentences(prediction, intern);
  if (wanted.empty() || predicted.empty()) return 0;  // The package raises, LongBench scores 0.
  std::set<int32_t> common;
  for (const auto& x : wanted) {
    for (const auto& y : predicted) {
      if (add_common_subsequence(x, y, common) > call_limit) return 0;
    }
  }
  const auto size = static_cast<double>(common.size());
  const double recall = size / static_cast<double>(distinct_words(wanted));
  const double precision = size / static_cast<double>(distinct_words(predicted));
  return 2.0 * ((precision * recall) / (precision + recall + 1e-8));
}

double best_rouge_l(const MetricInput& input, int64_t call_limit) {
  return best_over_references(input, [&](std::string_view prediction, std::string_view reference) {
    return rouge_l(code_points(prediction), code_points(reference), call_limit);
  });
}

double best_chinese_rouge_l(const MetricInput& input, int64_t call_limit) {
  const auto words = [](std::string_view text) {
    return join(Jieba::shared().cut(code_points(text)), U' ');
  };
  return best_over_references(input, [&](std::string_view prediction, std::string_view reference) {
    return rouge_l(words(prediction), words(reference), call_limit);
  });
}

}  // namespace kvcal::text
