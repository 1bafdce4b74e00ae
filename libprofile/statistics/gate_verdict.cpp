// SPDX-License-Identifier: Apache-2.0
// What results say about a gate.
#include <map>

#include "kvcal/compress/error.hpp"
#include "kvcal/profile/comparison.hpp"
#include "kvcal/profile/gate.hpp"

namespace kvcal {
namespace {

/// Both sides of a gate on one (task, metric, visibility).
struct Sides {
  const RecordGroup* left = nullptr;
  const RecordGroup* right = nullptr;
};

std::map<std::vector<std::string>, Sides> find_sides(const Gate& gate,
                                                     const std::vector<RecordGroup>& groups) {
  std::map<std::vector<std::string>, Sides> panels;
  for (const auto& group : groups) {
    const SampleRecord& first = *group.front();
    if (!gate.task.empty() && first.task != gate.task) continue;
    const std::string name = variant_name(first);
    auto& sides = panels[{first.task, first.metric, first.visibility}];
    if (name == gate.variant) sides.left = &group;
    if (gate.other && name == *gate.other) sides.right = &group;
  }
  std::erase_if(panels, [&](const auto& panel) {
    return panel.second.left == nullptr || (gate.other && panel.second.right == nullptr);
  });
  return panels;
}

/// The right side becomes factor * b + offset, sample by sample.
Pairs pairs_of(const Gate& gate, const Sides& sides) {
  Pairs pairs = pair_by_sample(*sides.left, gate.other ? *sides.right : *sides.left, gate.value);
  for (double& b : pairs.b) b = (gate.other ? gate.factor * b : 0) + gate.offset;
  return pairs;
}

/// Where the margin has to be, in the words of the relation.
bool holds(Gate::Relation relation, double margin) {
  switch (relation) {
    case Gate::Relation::at_least:
      return margin >= -kTieTolerance;
    case Gate::Relation::above:
      return margin > kTieTolerance;
    case Gate::Relation::at_most:
      return margin <= kTieTolerance;
    case Gate::Relation::below:
      return margin < -kTieTolerance;
  }
  fail(Kind::internal, "gate: relation {}", static_cast<int>(relation));
}

void judge(const Gate& gate, const Comparison& found, GateVerdict& verdict) {
  verdict.verdict = "undecided";
  if (found.clusters < kFewestClusters) {
    verdict.reason =
        fmt::format("{} independent samples, need {}", found.clusters, kFewestClusters);
    return;
  }
  const bool low_holds = holds(gate.relation, found.delta_interval.low);
  const bool high_holds = holds(gate.relation, found.delta_interval.high);
  if (low_holds != high_holds) {
    verdict.reason = "the interval goes both ways: more samples would tell";
    return;
  }
  verdict.verdict = low_holds ? "passed" : "failed";
}

GateVerdict decide_on(const Gate& gate, const Sides& sides, uint64_t seed) {
  const SampleRecord& first = *sides.left->front();
  GateVerdict verdict;
  verdict.gate = gate.text, verdict.task = first.task, verdict.metric = first.metric;
  verdict.visibility = first.visibility;
  const Comparison found = compare(pairs_of(gate, sides), {.seed = seed});
  verdict.n = found.n;
  verdict.left = found.mean_a, verdict.right = found.mean_b, verdict.margin = found.delta;
  verdict.ci_low = found.delta_interval.low, verdict.ci_high = found.delta_interval.high;
  judge(gate, found, verdict);
  return verdict;
}

}  // namespace

std::vector<GateVerdict> decide(const Gate& gate, const Results& results, uint64_t seed) {
  std::vector<GateVerdict> verdicts;
  const auto groups = group_by_variant(results.records);
  for (const auto& [panel, sides] : find_sides(gate, groups)) {
    verdicts.push_back(decide_on(gate, sides, seed));
  }
  if (verdicts.empty()) {
    verdicts.emplace_back();
    verdicts[0].gate = gate.text, verdicts[0].verdict = "undecided";
    verdicts[0].reason = "no sample has both sides";
  }
  return verdicts;
}

}  // namespace kvcal
