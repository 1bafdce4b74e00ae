// SPDX-License-Identifier: Apache-2.0
#include "report/spread.hpp"

#include <cmath>

#include "kvcal/profile/comparison.hpp"

namespace kvcal::report {
namespace {

bool is_of(const SampleRecord& r, const Cell& cell) {
  return r.task == cell.task && r.metric == cell.metric && r.visibility == cell.visibility &&
         r.method == cell.method && r.budget == cell.budget && r.mask == cell.mask;
}

}  // namespace

Interval spread_of(const ReportData& data, const Cell& cell, double SampleRecord::*column) {
  RecordGroup group;
  std::vector<double> values;
  for (const auto& record : data.results.records) {
    if (!is_of(record, cell) || !counts(record) || std::isnan(record.*column)) continue;
    group.push_back(&record);
    values.push_back(record.*column);
  }
  return bootstrap_mean(values, document_clusters(group), 0.95, 2000,
                        static_cast<uint64_t>(data.results.provenance.seed));
}

}  // namespace kvcal::report
