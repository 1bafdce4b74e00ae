// SPDX-License-Identifier: Apache-2.0
#include <algorithm>
#include <map>

#include "kvcal/compress/error.hpp"
#include "kvcal/profile/comparison.hpp"
#include "kvcal/profile/tune.hpp"

namespace kvcal {
namespace {

using VariantKey = std::pair<std::string, std::string>;  // method, budget

constexpr int64_t kResamples = 2000;

/// Copies whose `kl` is the loss that the search minimises, so that losses pair as scores do.
std::vector<SampleRecord> with_losses(std::span<const SampleRecord> records) {
  std::map<std::pair<std::string_view, std::string_view>, const SampleRecord*> full;
  for (const auto& record : records) {
    if (record.budget == "full") full[{record.task, record.sample}] = &record;
  }
  std::vector<SampleRecord> copies(records.begin(), records.end());
  for (auto& record : copies) {
    const auto reference = full.find({record.task, record.sample});
    require(reference != full.end(), Kind::internal, "sample {} was not run with the full cache",
            record.sample);
    record.kl = record.budget == "full" ? 0 : selection_loss(record, *reference->second);
  }
  return copies;
}

/// A variant's records of all tasks.
using TaskGroups = std::vector<RecordGroup>;

/// Pairs of all tasks; sample names are unique within a task alone.
Pairs pair_tasks(const TaskGroups& a, const TaskGroups& b, double SampleRecord::*value) {
  Pairs all;
  int64_t clusters = 0;
  for (const auto& group : a) {
    const auto other = std::find_if(b.begin(), b.end(), [&](const RecordGroup& candidate) {
      return candidate.front()->task == group.front()->task &&
             candidate.front()->metric == group.front()->metric;
    });
    if (other == b.end()) continue;
    const auto pairs = pair_by_sample(group, *other, value);
    all.a.insert(all.a.end(), pairs.a.begin(), pairs.a.end());
    all.b.insert(all.b.end(), pairs.b.begin(), pairs.b.end());
    for (const int64_t cluster : pairs.clusters) all.clusters.push_back(clusters + cluster);
    clusters += static_cast<int64_t>(group.size());
  }
  return all;
}

HeldOutRow row_of(const VariantKey& key, const TaskGroups& own, const TaskGroups& chosen,
                  uint64_t seed) {
  const Bootstrap bootstrap{.resamples = kResamples, .seed = seed};
  const auto interval = [&](const Pairs& pairs) {
    return bootstrap_mean(pairs.a, pairs.clusters, bootstrap.level, kResamples, seed);
  };
  HeldOutRow row{key.first, key.second};
  double tokens = 0, records = 0;
  for (const auto& group : own) {
    for (const auto* record : group) {
      tokens += static_cast<double>(record->budget_tokens), ++records;
    }
  }
  row.budget_tokens = tokens / records;
  const Pairs scores = pair_tasks(own, own, &SampleRecord::score);
  const Pairs losses = pair_tasks(own, own, &SampleRecord::kl);
  row.n = static_cast<int64_t>(scores.a.size());
  row.score = compare(scores, bootstrap).mean_a, row.score_interval = interval(scores);
  row.loss = compare(losses, bootstrap).mean_a, row.loss_interval = interval(losses);
  const auto score = compare(pair_tasks(own, chosen, &SampleRecord::score), bootstrap);
  const auto loss = compare(pair_tasks(own, chosen, &SampleRecord::kl), bootstrap);
  row.score_delta = score.delta, row.score_delta_interval = score.delta_interval;
  row.loss_delta = loss.delta, row.loss_delta_interval = loss.delta_interval;
  return row;
}

}  // namespace

size_t best_by_score(std::span<const HeldOutRow> rows) {
  size_t best = 0;
  for (size_t i = 1; i < rows.size(); ++i) {
    if (rows[i].score > rows[best].score + kTieTolerance) best = i;
  }
  return best;
}

std::vector<HeldOutRow> compare_held_out(std::span<const SampleRecord> records,
                                         std::string_view chosen, uint64_t seed) {
  const auto measured = with_losses(records);
  std::vector<VariantKey> order;
  std::map<VariantKey, TaskGroups> variants;
  for (auto& group : group_by_variant(measured)) {
    const VariantKey key{group.front()->method, group.front()->budget};
    if (!variants.contains(key)) order.push_back(key);
    variants[key].push_back(std::move(group));
  }
  std::vector<HeldOutRow> rows;
  for (const auto& key : order) {
    rows.push_back(
        row_of(key, variants.at(key), variants[{std::string(chosen), key.second}], seed));
  }
  return rows;
}

}  // namespace kvcal
