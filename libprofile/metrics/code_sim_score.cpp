// SPDX-License-Identifier: Apache-2.0
/// LongBench's code similarity: fuzzywuzzy's ratio of the first line that holds no comment.
/// This is the value with python-Levenshtein installed; where it is not, fuzzywuzzy falls back on
/// difflib and gives other values, wildly so for lines of 200 characters and more
/// (code_sim_difflib_score). Published scores may be either.
#include "kvcal/profile/metric.hpp"
#include "metrics/text/code_line.hpp"
#include "metrics/text/overlap.hpp"
#include "metrics/text/unicode.hpp"

namespace kvcal {
namespace {

size_t common_subsequence(std::u32string_view a, std::u32string_view b) {
  std::vector<size_t> row(b.size() + 1);
  for (char32_t c : a) {
    size_t diagonal = 0;  // of the row before
    for (size_t j = 1; j <= b.size(); ++j) {
      const size_t above = row[j];
      row[j] = c == b[j - 1] ? diagonal + 1 : std::max(above, row[j - 1]);
      diagonal = above;
    }
  }
  return row[b.size()];
}

double similarity(std::string_view prediction, std::string_view reference) {
  const std::u32string line = text::code_line(prediction), wanted = text::code_points(reference);
  if (line == wanted) return 1;
  if (line.empty() || wanted.empty()) return 0;
  const auto total = static_cast<double>(line.size() + wanted.size());
  const auto distance = total - 2 * static_cast<double>(common_subsequence(line, wanted));
  // This form, not 2 LCS / total: the last bit decides ties of the rounding (half to even).
  return text::fuzzy_ratio(1 - distance / total);
}

double score(const MetricInput& input) {
  return text::best_over_references(input, similarity);
}

}  // namespace

extern const MetricInfo metric_code_sim_score = {
    "code_sim_score", "edit similarity of the first line of code, as LongBench", 1, score};

}  // namespace kvcal
