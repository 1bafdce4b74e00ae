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
  /// Reads what the metric needs beside its input, once; null: nothing. @throws Error{input}
  void (*load)() = nullptr;
  /// Whether the reply gives an answer that the metric can read, right or wrong; null: any does.
  bool (*is_parsed)(const MetricInput& input) = nullptr;
};

struct Sample;

/// The sample's metric on what counts of the reply, 0 .. 1: divided by the metric's scale.
double score_prediction(const Sample& sample, std::string_view prediction);

/// 1 if the sample's metric finds an answer in what counts of the reply, 0 if none; NaN if it reads
/// any reply.
double parsed_prediction(const Sample& sample, std::string_view prediction);

std::span<const MetricInfo* const> metric_table();

/// @throws Error{config} unknown name: lists the known ones and the nearest
///         Error{input}  the metric needs data that is not there
const MetricInfo& find_metric(std::string_view name);

}  // namespace kvcal
