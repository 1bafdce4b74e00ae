// SPDX-License-Identifier: Apache-2.0
#include "engine/reference_observer.hpp"

#include <ATen/ATen.h>

namespace kvcal {

ReferenceObserver::ReferenceObserver(ReferenceQueries LayerStatistics::*source, int64_t count,
                                     std::vector<LayerStatistics>& statistics)
    : source_(source), count_(count), statistics_(statistics), seen_(statistics.size()) {}

void ReferenceObserver::after_attention(const AttentionStep& step) {
  const auto layer = static_cast<size_t>(step.layer);
  (statistics_[layer].*source_).add(step.queries, seen_[layer], count_);
  seen_[layer] += step.queries.size(1);
}

}  // namespace kvcal
