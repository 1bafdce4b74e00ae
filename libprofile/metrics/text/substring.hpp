// SPDX-License-Identifier: Apache-2.0
// RULER's test: is the reference a part of the prediction, case aside?
#pragma once

#include "kvcal/profile/metric.hpp"

namespace kvcal::text {

/// How many references are part of the prediction.
int64_t count_contained(const MetricInput& input);

}  // namespace kvcal::text
