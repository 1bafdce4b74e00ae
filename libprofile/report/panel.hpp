// SPDX-License-Identifier: Apache-2.0
// Panel: the cells that may stand in one plot. Tasks, metrics and visibilities are never mixed.
#pragma once

#include <functional>
#include <string>
#include <vector>

#include "kvcal/profile/results.hpp"
#include "report/plot/curves.hpp"

namespace kvcal::report {

struct Panel {
  std::string task, metric, visibility;
  const Cell* full = nullptr;         ///< the full cache without a mask, if it ran
  std::vector<const Cell*> variants;  ///< compressed, without a mask, n > 0; in order of appearance
  std::vector<const Cell*> masked;

  std::string title() const;  ///< "niah, aware"
  int64_t samples() const;    ///< of the variant with most
};

/// In order of first appearance.
std::vector<Panel> panels_of(const std::vector<Cell>& cells);

/// Records carry "" or "none" where nothing is silenced.
bool is_masked(const std::string& mask);

/// A curve for each method, points by `point`, ascending x.
std::vector<Curve> curves_of(const Panel& panel, const StyleBook& styles,
                             const std::function<CurvePoint(const Cell&)>& point);

/// `task, visibility` as a part of file names.
std::string figure_name(std::string_view section, const Panel& panel);

}  // namespace kvcal::report
