// SPDX-License-Identifier: Apache-2.0
// Records of results as groups and pairs.
#include <cmath>
#include <map>

#include "kvcal/profile/comparison.hpp"

namespace kvcal {

std::vector<RecordGroup> group_by_variant(std::span<const SampleRecord> records) {
  std::map<std::vector<std::string>, size_t> places;
  std::vector<RecordGroup> groups;
  for (const auto& r : records) {
    const auto [found, is_new] = places.try_emplace(
        {r.task, r.metric, r.method, r.visibility, r.mask, r.budget}, groups.size());
    if (is_new) groups.emplace_back();
    groups[found->second].push_back(&r);
  }
  return groups;
}

bool counts(const SampleRecord& record) {
  return record.method == "full" || !record.uncompressed;
}

std::vector<int64_t> document_clusters(const RecordGroup& group) {
  std::map<std::string, int64_t> documents;
  std::vector<int64_t> clusters;
  int64_t next = 0;
  for (const auto* record : group) {
    if (record->document.empty()) {
      clusters.push_back(next++);
      continue;
    }
    const auto [found, is_new] = documents.try_emplace(record->document, next);
    if (is_new) ++next;
    clusters.push_back(found->second);
  }
  return clusters;
}

Pairs pair_by_sample(const RecordGroup& a, const RecordGroup& b, double SampleRecord::*value) {
  std::map<std::string_view, const SampleRecord*> others;
  for (const auto* record : b) others.emplace(record->sample, record);
  Pairs pairs;
  RecordGroup paired;
  for (const auto* record : a) {
    const auto found = others.find(record->sample);
    if (found == others.end() || !counts(*record) || !counts(*found->second)) continue;
    if (std::isnan(record->*value) || std::isnan(found->second->*value)) continue;
    paired.push_back(record);
    pairs.a.push_back(record->*value);
    pairs.b.push_back(found->second->*value);
  }
  pairs.clusters = document_clusters(paired);
  return pairs;
}

}  // namespace kvcal
