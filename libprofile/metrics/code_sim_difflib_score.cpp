// SPDX-License-Identifier: Apache-2.0
/// code_sim_score as fuzzywuzzy computes it without python-Levenshtein. LongBench's list of
/// requirements does not name that package, so published scores may be these.
#include "kvcal/profile/metric.hpp"
#include "metrics/text/code_line.hpp"
#include "metrics/text/difflib.hpp"
#include "metrics/text/overlap.hpp"
#include "metrics/text/unicode.hpp"

namespace kvcal {
namespace {

double similarity(std::string_view prediction, std::string_view reference) {
  const std::u32string line = text::code_line(prediction), wanted = text::code_points(reference);
  if (line == wanted) return 1;
  if (line.empty() || wanted.empty()) return 0;
  return text::fuzzy_ratio(text::difflib_ratio(line, wanted));
}

double score(const MetricInput& input) {
  return text::best_over_references(input, similarity);
}

}  // namespace

extern const MetricInfo metric_code_sim_difflib_score = {
    "code_sim_difflib_score", "code_sim_score where python-Levenshtein is not installed", 1, score};

}  // namespace kvcal
