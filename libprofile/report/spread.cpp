// SPDX-License-Identifier: Apache-2.0
#include "report/spread.hpp"

#include <cmath>
#include <map>

namespace kvcal::report {
namespace {

bool is_of(const SampleRecord& r, const Cell& cell) {
  return r.task == cell.task && r.metric == cell.metric && r.visibility == cell.visibility &&
         r.method == cell.method && r.budget == cell.budget && r.mask == cell.mask &&
         (r.method == "full" || !r.uncompressed);
}

}  // namespace

Interval spread_of(const ReportData& data, const Cell& cell, double SampleRecord::*column) {
  std::vector<double> values;
  std::vector<int64_t> clusters;
  std::map<std::string, int64_t> documents;
  for (const auto& record : data.results.records) {
    if (!is_of(record, cell) || std::isnan(record.*column)) continue;
    values.push_back(record.*column);
    // A sample without a document is a cluster of its own.
    const std::string name = record.document.empty() ? "/" + record.sample : record.document;
    clusters.push_back(documents.try_emplace(name, documents.size()).first->second);
  }
  return bootstrap_mean(values, clusters, 0.95, 2000,
                        static_cast<uint64_t>(data.results.provenance.seed));
}

}  // namespace kvcal::report
