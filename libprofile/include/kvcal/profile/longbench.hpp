// SPDX-License-Identifier: Apache-2.0
// Scores of LongBench as they are published, and its own prediction files.
// The samples are those of the task `longbench` (tasks/longbench.cpp).
#pragma once

#include <cstdint>
#include <filesystem>
#include <functional>
#include <map>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "kvcal/profile/results.hpp"

namespace kvcal {

/// What the averages need to know of a dataset.
struct LongbenchFacts {
  std::string dataset;   ///< as the published files call it
  std::string category;  ///< e.g. "few_shot"
  std::string language;  ///< en, zh, code
  bool is_extended;      ///< of LongBench-E
  bool is_of_sixteen;    ///< in the mean that most papers on compression report
};

/// @param task  as in results, e.g. "longbench:qasper"; nothing when no LongBench task is called so
std::optional<LongbenchFacts> longbench_facts(std::string_view task);

/// Scores of one dataset under one variant, 0 .. 100, rounded to hundredths as Python does. All
/// samples count, those within the budget too, as in published scores.
struct LongbenchScore {
  LongbenchFacts facts;
  int64_t n = 0;
  double score = 0;
  /// LongBench-E: of samples of 0 .. 4k, 4k .. 8k, 8k and more words; NaN without samples.
  std::vector<double> by_length;
};
inline constexpr std::string_view kLongbenchLengths[] = {"0-4k", "4-8k", "8k+"};

/// One method at one budget under one visibility. Datasets of LongBench-E are in no average.
struct LongbenchSummary {
  std::string method, visibility, mask, budget;
  std::vector<LongbenchScore> datasets;  ///< in order of first appearance
  /// CompressKV's: mean of the 16 rounded scores, rounded again. Nothing unless all 16 were run.
  std::optional<double> mean_of_sixteen;
  /// Category -> mean of its datasets of the language and of code. Only complete categories.
  std::map<std::string, double> english, chinese;
  /// LongBench's: mean of the six category means. Nothing unless all six are complete.
  std::optional<double> english_mean, chinese_mean;
};

/// In order of first appearance; empty when no LongBench task was run.
std::vector<LongbenchSummary> summarise_longbench(const Results& results);

/// <model>_<method>_<budget>_<visibility>, the name of a variant's folder of predictions.
std::string longbench_model_name(const Results& results, const SampleRecord& record);

/// Writes directory/pred/<longbench_model_name>/<dataset>.jsonl, for LongBench-E below pred_e, as
/// LongBench's pred.py does, so that its eval.py can score them again. Records of other tasks are
/// left out.
///
/// Differs  a newline that ended a samsum reply is not in `pred`; eval.py drops it anyway.
/// @param all_classes  classes of a record's sample, which results do not hold; empty is null
/// @throws Error{input} not writable
void write_longbench_predictions(
    const std::filesystem::path& directory, const Results& results,
    const std::function<std::vector<std::string>(const SampleRecord&)>& all_classes);

}  // namespace kvcal
