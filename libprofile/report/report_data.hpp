// SPDX-License-Identifier: Apache-2.0
// What the sections of a report draw from: results of one model, merged, and what belongs to them.
#pragma once

#include <filesystem>
#include <optional>
#include <span>
#include <string>
#include <vector>

#include "kvcal/profile/area.hpp"
#include "kvcal/profile/profile.hpp"
#include "kvcal/profile/results.hpp"
#include "report/plot/theme.hpp"

namespace kvcal::report {

struct Source {
  std::filesystem::path file;
  std::string sha256;  ///< of the file
  Provenance provenance;
  int64_t records = 0;
};

struct ReportData {
  Results results;  ///< records of all files; model and provenance of the first
  std::vector<Cell> cells;
  std::vector<Area> areas;
  std::vector<Source> sources;
  std::optional<Profile> profile;
  std::filesystem::path profile_file;
  std::string profile_sha256;  ///< of the file
  StyleBook styles{{}};        ///< of methods and masks
  int64_t samples_per_task = 4;
};

/// Results side by side. A record that two files share (the full cache, mostly) counts once.
/// @throws Error{input} another model, dtype or prediction for the same sample and variant;
/// variants of one task that were measured on different samples: such a comparison would not be
/// paired
Results merge_results(std::span<const Results> results,
                      std::span<const std::filesystem::path> files);

/// @param profile  empty: none
/// @throws Error{input} as Results::load, Profile::load and merge_results; no record at all
ReportData gather(std::span<const std::filesystem::path> files,
                  const std::filesystem::path& profile);

}  // namespace kvcal::report
