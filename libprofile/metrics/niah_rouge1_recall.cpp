// SPDX-License-Identifier: Apache-2.0
/// ROUGE-1 recall as Google's rouge_score 0.1.2 with its stemmer on: the needle score of
/// CompressKV, there times 100.
#include "kvcal/profile/metric.hpp"
#include "metrics/text/overlap.hpp"
#include "metrics/text/porter_stemmer.hpp"
#include "metrics/text/unicode.hpp"

namespace kvcal {
namespace {

constexpr size_t kLongestUnstemmed = 3;  // rouge_score, tokenize.py

/// Runs of a-z and 0-9; all else, non-ASCII text included, separates.
std::vector<std::u32string> stems(std::string_view text) {
  std::vector<std::u32string> words;
  std::string word;
  const auto finish = [&] {
    if (word.size() > kLongestUnstemmed) word = text::porter_stem(word);
    if (!word.empty()) words.emplace_back(word.begin(), word.end());
    word.clear();
  };
  for (char32_t c : text::lower(text::code_points(text))) {
    const bool is_kept = (c >= U'a' && c <= U'z') || (c >= U'0' && c <= U'9');
    if (is_kept) word += static_cast<char>(c);
    if (!is_kept) finish();
  }
  finish();
  return words;
}

double recall(std::string_view prediction, std::string_view reference) {
  const auto wanted = stems(reference);
  if (wanted.empty()) return 0;
  return static_cast<double>(text::bag_overlap(stems(prediction), wanted)) /
         static_cast<double>(wanted.size());
}

double score(const MetricInput& input) {
  return text::best_over_references(input, recall);
}

}  // namespace

extern const MetricInfo metric_niah_rouge1_recall = {
    "niah_rouge1_recall",
    "share of the reference's stemmed words that the prediction has (ROUGE-1)", 1, score};

}  // namespace kvcal
