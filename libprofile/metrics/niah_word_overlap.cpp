// SPDX-License-Identifier: Apache-2.0
/// The needle score of CompressKV's and KVCache-Factory's plots: punctuation stays, so `day` is not
/// `day.`.
#include <set>

#include "kvcal/profile/metric.hpp"
#include "metrics/text/overlap.hpp"
#include "metrics/text/unicode.hpp"

namespace kvcal {
namespace {

std::set<std::u32string> word_set(std::string_view text) {
  const auto words = text::split(text::lower(text::code_points(text)));
  return {words.begin(), words.end()};
}

double overlap(std::string_view prediction, std::string_view reference) {
  const auto predicted = word_set(prediction), wanted = word_set(reference);
  if (wanted.empty()) return 0;
  const auto found = std::count_if(wanted.begin(), wanted.end(),
                                   [&](const auto& word) { return predicted.contains(word); });
  return static_cast<double>(found) / static_cast<double>(wanted.size());
}

double score(const MetricInput& input) {
  return text::best_over_references(input, overlap);
}

}  // namespace

extern const MetricInfo metric_niah_word_overlap = {
    "niah_word_overlap", "share of the reference's distinct words that the prediction has", 1,
    score};

}  // namespace kvcal
