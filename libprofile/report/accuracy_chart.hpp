// SPDX-License-Identifier: Apache-2.0
// The chart of accuracy versus kept share; drawn on the report's page and by kv-eval --plot.
#pragma once

#include "report/panel.hpp"
#include "report/plot/curves.hpp"

namespace kvcal::report {

/// @param panel  with at least one variant
CurveChart accuracy_chart(const Panel& panel, const StyleBook& styles);

}  // namespace kvcal::report
