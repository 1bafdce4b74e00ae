// SPDX-License-Identifier: Apache-2.0
// Report: results as one HTML page that needs nothing else (no network, no script, no fonts), every
// plot as SVG and PNG, and a table for pull requests. Plots are drawn by gnuplot.
// The parts of the page are in libprofile/report/sections/, one file each, found by the build.
#pragma once

#include <cstdint>
#include <filesystem>
#include <string>
#include <vector>

#include "kvcal/profile/shards.hpp"

namespace kvcal {

struct ReportRequest {
  std::vector<std::filesystem::path> results;  ///< at least one; all of one model
  std::filesystem::path profile;               ///< empty: none
  std::filesystem::path output;                ///< folder, made if absent
  OutputMode mode = OutputMode::fresh;         ///< force: write into a folder that is not empty
  int64_t samples_per_task = 4;                ///< shown with their predictions; 0 = none
};

struct ReportOutcome {
  std::filesystem::path page;
  int64_t figures = 0, cells = 0;
  std::vector<std::string> notes;  ///< what is missing and why
};

/// Writes `index.html`, `summary.md`, `plots/*.svg` and `plots/*.png`; the page last. Same input,
/// same bytes of page, summary and SVG. Earlier plots in `plots/` are removed.
///
/// @throws Error{config} gnuplot is not installed
///         Error{input}  a file cannot be read or is not of its format; results or profile of
///         different models; no samples; results that cannot be compared (other samples or values);
///         the output is a file, not empty (fresh) or not writable
ReportOutcome write_report(const ReportRequest& request);

}  // namespace kvcal
