// SPDX-License-Identifier: Apache-2.0
// ROUGE-L F as LongBench computes it: field rouge-l / f of PyPI rouge 1.0.1. Neither Google's
// rouge_score nor textbook ROUGE-L: sentences end at each ASCII period, and what is counted is one
// set of words, the union of the sentence pairs' longest common subsequences.
#pragma once

#include <cstdint>
#include <limits>
#include <string_view>

#include "kvcal/profile/metric.hpp"

namespace kvcal::text {

/// The package traces a subsequence back by recursion. CPython 3.11 ends it beyond this many calls
/// in LongBench's script (one less below its Chinese metric), which then scores the sample 0.
constexpr int64_t kPythonCallLimit = 991;
constexpr int64_t kPythonCallLimitZh = 990;
constexpr int64_t kNoCallLimit = std::numeric_limits<int64_t>::max();

/// @param call_limit  a sentence pair that takes more calls makes the score 0
/// @return  0 .. 1; never 1 itself, because of an epsilon in the package
double rouge_l(std::u32string_view prediction, std::u32string_view reference, int64_t call_limit);

/// The best ROUGE-L over the references.
double best_rouge_l(const MetricInput& input, int64_t call_limit);
/// The same over jieba's tokens, which have been loaded.
double best_chinese_rouge_l(const MetricInput& input, int64_t call_limit);

}  // namespace kvcal::text
