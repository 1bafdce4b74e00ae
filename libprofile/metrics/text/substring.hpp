// SPDX-License-Identifier: Apache-2.0
// RULER's test: is the reference a part of the prediction, case aside?
#pragma once

#include "kvcal/profile/metric.hpp"

namespace kvcal::text {

/// How many references are part of the prediction.
int64_t count_contained(const MetricInput& input);

/// As kvpress cleans predictions: white space at both ends and code points 0 .. 31 are gone, so
/// that lines are joined without a space.
std::string without_control_characters(std::string_view prediction);

/// Another metric's score of the prediction as kvpress cleans it.
double score_without_control_characters(std::string_view metric, const MetricInput& input);

}  // namespace kvcal::text
