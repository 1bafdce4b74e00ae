// SPDX-License-Identifier: Apache-2.0
#include "kvcal/compress/error.hpp"
#include "kvcal/profile/metric.hpp"
#include "metrics/text/numbers.hpp"
#include "metrics/text/overlap.hpp"
#include "metrics/text/unicode.hpp"

namespace kvcal {
namespace {

constexpr std::u32string_view kParagraph = U"Paragraph ";

/// The digits behind the first "Paragraph " that has any.
std::u32string paragraph_number(std::string_view reference) {
  const std::u32string text = text::code_points(reference);
  for (size_t at = text.find(kParagraph); at != text.npos; at = text.find(kParagraph, at + 1)) {
    const auto begin = text.begin() + static_cast<ptrdiff_t>(at + kParagraph.size());
    const auto end = std::find_if_not(begin, text.end(), text::is_digit);
    if (begin != end) return {begin, end};
  }
  fail(Kind::input, "retrieval_score: reference '{}' has no 'Paragraph' with a number", reference);
}

double retrieval(std::string_view prediction, std::string_view reference) {
  return text::share_of_numbers(prediction, paragraph_number(reference));
}

double score(const MetricInput& input) {
  return text::best_over_references(input, retrieval);
}

}  // namespace

extern const MetricInfo metric_retrieval_score = {
    "retrieval_score",
    "share of the prediction's numbers that are the right paragraph, as LongBench", 1, score};

}  // namespace kvcal
