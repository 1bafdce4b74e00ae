// SPDX-License-Identifier: Apache-2.0
#include "kvcal/compress/error.hpp"
#include "kvcal/profile/metric.hpp"
#include "metrics/text/choice.hpp"
#include "metrics/text/overlap.hpp"

namespace kvcal {
namespace {

constexpr int64_t kUsualOptions = 4;  // QuALITY

/// The letter that the reply settles on, 1 = A. As many letters are valid as there are classes (4
/// without).
std::optional<int64_t> chosen_letter(const MetricInput& input) {
  const auto classes = static_cast<int64_t>(input.all_classes.size());
  return text::parse_choice(input.prediction,
                            classes > 0 ? std::min<int64_t>(classes, 26) : kUsualOptions);
}

bool is_parsed(const MetricInput& input) {
  return chosen_letter(input).has_value();
}

/// Whether that letter is the reference. Without references: its number, 0 if there is none.
double score(const MetricInput& input) {
  const auto chosen = chosen_letter(input);
  if (input.references.empty()) return static_cast<double>(chosen.value_or(0));
  return text::best_over_references(input, [&](std::string_view, std::string_view reference) {
    const bool is_letter = reference.size() == 1 && reference[0] >= 'A' && reference[0] <= 'Z';
    require(is_letter, Kind::input, "parse_choice: reference '{}', need a letter A .. Z",
            reference);
    return chosen == reference[0] - 'A' + 1 ? 1.0 : 0.0;
  });
}

}  // namespace

extern const MetricInfo metric_parse_choice = {
    "parse_choice",
    "1 if the reply settles on the right letter of a multiple choice",
    1,
    score,
    nullptr,
    is_parsed};

}  // namespace kvcal
