// SPDX-License-Identifier: Apache-2.0
// Small hand-made results and profiles for tests of reports, with names as friendly or as hostile
// as wanted.
#pragma once

#include <string>

#include "kvcal/profile/profile.hpp"
#include "kvcal/profile/results.hpp"

namespace kvcal::test {

struct ReportNames {
  std::string model = "tiny", task = "niah", method = "snapkv", sample = "needle", mask = "srh:2";
  std::string prediction = "the blue door", reference = "a blue door";
  std::string command = "kv-eval --model tiny";
};

/// Markup, quotes, backquotes, line ends, bytes that are no text, and our own placeholders.
ReportNames hostile_names();

/// 2 layers, 4 heads, 2 KV heads. Four samples (depths 0.1 and 0.9, lengths 100 and 200) under the
/// full cache, random and `method` at budgets 25% and 50%, and the full cache without `mask`.
/// Scores: full 1; method 0.25, 0.75; random 0, 0.5; masked 0.125.
Results report_results(const ReportNames& names = {});

/// Heads of one kind named after `mask`, layer errors of `task`, budgets of `method`.
Profile report_profile(const ReportNames& names = {});

}  // namespace kvcal::test
