// SPDX-License-Identifier: Apache-2.0
// All that is concluded from results, and its JSON.
#pragma once

#include <optional>
#include <string>
#include <vector>

#include "kvcal/profile/area.hpp"
#include "kvcal/profile/baseline.hpp"
#include "kvcal/profile/gate.hpp"
#include "kvcal/profile/results.hpp"

namespace kvcal {

struct Summary {
  std::vector<Cell> cells;
  std::vector<Area> areas;
  std::vector<GateVerdict> gates;
  std::optional<BaselineReport> baseline;
};

/// Cells and areas; gates and baseline are the caller's to ask for.
Summary summarise_all(const Results& results, uint64_t seed);

/// `kvcal.results/1` JSON: provenance, model and every list of the summary.
std::string to_json(const Results& results, const Summary& summary);

}  // namespace kvcal
