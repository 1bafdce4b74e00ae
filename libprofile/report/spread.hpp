// SPDX-License-Identifier: Apache-2.0
// Intervals of columns that cells hold as means only.
#pragma once

#include "kvcal/profile/statistics.hpp"
#include "report/report_data.hpp"

namespace kvcal::report {

/// 95 % bootstrap interval of the mean of a column over the samples of a cell, questions on one
/// document together; NaN bounds where it was not measured twice.
Interval spread_of(const ReportData& data, const Cell& cell, double SampleRecord::*column);

}  // namespace kvcal::report
