// SPDX-License-Identifier: Apache-2.0
#include "kvcal/profile/metric.hpp"
#include "metrics/text/overlap.hpp"
#include "metrics/text/unicode.hpp"

namespace kvcal {
namespace {

/// Deletes a, an, the at word boundaries; a space takes their place.
std::u32string without_articles(std::u32string_view text) {
  std::u32string kept;
  for (auto begin = text.begin(); begin != text.end();) {
    if (!text::is_word(*begin)) {
      kept += *begin++;
      continue;
    }
    const auto end = std::find_if_not(begin, text.end(), text::is_word);
    const std::u32string word(begin, end);
    kept += word == U"a" || word == U"an" || word == U"the" ? U" " : word;
    begin = end;
  }
  return kept;
}

/// LongBench, normalize_answer.
std::vector<std::u32string> answer_words(std::string_view answer) {
  std::u32string text = text::lower(text::code_points(answer));
  std::erase_if(text, text::is_ascii_punctuation);
  return text::split(without_articles(text));
}

double f1(std::string_view prediction, std::string_view reference) {
  return text::bag_f1(answer_words(prediction), answer_words(reference));
}

double score(const MetricInput& input) {
  return text::best_over_references(input, f1);
}

}  // namespace

extern const MetricInfo metric_qa_f1_score = {"qa_f1_score", "F1 of answer words, as LongBench", 1,
                                              score};

}  // namespace kvcal
