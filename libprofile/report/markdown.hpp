// SPDX-License-Identifier: Apache-2.0
// The report in short, as Markdown for a pull request.
#pragma once

#include <string>

#include "report/report_data.hpp"

namespace kvcal::report {

/// A table per task, metric and visibility: a row per method, a column per budget.
std::string make_summary(const ReportData& data);

}  // namespace kvcal::report
