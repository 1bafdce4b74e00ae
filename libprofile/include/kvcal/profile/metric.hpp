// SPDX-License-Identifier: Apache-2.0
// Metrics: one file each in metrics/, found by the build as methods are (see adding-a-method.md).
#pragma once

#include <span>
#include <string>
#include <string_view>
#include <vector>

namespace kvcal {

struct MetricInput {
  std::string_view prediction;
  std::span<const std::string> references;
  std::span<const std::string> all_classes;  ///< classification only
};

struct MetricInfo {
  std::string_view name;     ///< e.g. "qa_f1_score"
  std::string_view summary;  ///< one line
  double scale;              ///< best value: 1 or 100
  /// Score of one sample, already the best or the mean over references as the metric defines it.
  double (*score)(const MetricInput& input);
  /// Whether the reply gives an answer that the metric can read, right or wrong; null: any does.
  bool (*is_parsed)(const MetricInput& input) = nullptr;
};

std::span<const MetricInfo* const> metric_table();

/// @throws Error{config} unknown name: lists the known ones and the nearest
const MetricInfo& find_metric(std::string_view name);

}  // namespace kvcal
