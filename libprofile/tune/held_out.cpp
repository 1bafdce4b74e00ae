// SPDX-License-Identifier: Apache-2.0
#include <map>
#include <numeric>

#include "kvcal/compress/error.hpp"
#include "kvcal/profile/tune.hpp"

namespace kvcal {
namespace {

/// What one variant got on each prompt.
struct Measured {
  std::vector<double> scores, losses;
  double budget_tokens = 0;
};
using VariantKey = std::pair<std::string, std::string>;             // method, budget
using BySample = std::map<std::string, std::pair<double, double>>;  // sample -> score, loss

std::string sample_key(const SampleRecord& record) {
  return record.task + '/' + record.sample;
}

double mean(const std::vector<double>& values) {
  return std::accumulate(values.begin(), values.end(), 0.0) / static_cast<double>(values.size());
}

}  // namespace

std::vector<HeldOutRow> compare_held_out(std::span<const SampleRecord> records,
                                         std::string_view chosen, uint64_t seed) {
  std::map<std::string, const SampleRecord*> full;
  for (const auto& record : records) {
    if (record.budget == "full") full[sample_key(record)] = &record;
  }
  std::vector<VariantKey> order;
  std::map<VariantKey, BySample> measured;
  std::map<VariantKey, double> tokens;
  for (const auto& record : records) {
    const auto reference = full.find(sample_key(record));
    require(reference != full.end(), Kind::internal, "sample {} was not run with the full cache",
            record.sample);
    const VariantKey key{record.method, record.budget};
    if (!measured.contains(key)) order.push_back(key);
    const double loss = selection_loss(record, *reference->second);
    measured[key][sample_key(record)] = {record.score, record.budget == "full" ? 0 : loss};
    tokens[key] += static_cast<double>(record.budget_tokens);
  }
  std::vector<HeldOutRow> rows;
  for (const auto& key : order) {
    const auto& own = measured.at(key);
    HeldOutRow row{key.first, key.second, static_cast<int64_t>(own.size())};
    row.budget_tokens = tokens.at(key) / static_cast<double>(own.size());
    std::vector<double> scores, losses, paired_scores, paired_losses, other_scores, other_losses;
    const auto other = measured.find({std::string(chosen), key.second});
    for (const auto& [sample, values] : own) {
      scores.push_back(values.first), losses.push_back(values.second);
      if (other == measured.end() || !other->second.contains(sample)) continue;
      paired_scores.push_back(values.first), paired_losses.push_back(values.second);
      other_scores.push_back(other->second.at(sample).first);
      other_losses.push_back(other->second.at(sample).second);
    }
    row.score = mean(scores), row.loss = mean(losses);
    row.score_interval = bootstrap_mean(scores, {}, 0.95, 2000, seed);
    row.loss_interval = bootstrap_mean(losses, {}, 0.95, 2000, seed);
    if (!paired_scores.empty()) {
      row.score_delta = mean(paired_scores) - mean(other_scores);
      row.loss_delta = mean(paired_losses) - mean(other_losses);
      row.score_delta_interval =
          bootstrap_paired(paired_scores, other_scores, {}, 0.95, 2000, seed);
      row.loss_delta_interval = bootstrap_paired(paired_losses, other_losses, {}, 0.95, 2000, seed);
    }
    rows.push_back(row);
  }
  return rows;
}

}  // namespace kvcal
