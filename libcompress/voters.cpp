// SPDX-License-Identifier: Apache-2.0
#include "voters.hpp"

#include <algorithm>

#include "kvcal/compress/error.hpp"
#include "mixed_bits.hpp"

namespace kvcal {
namespace {

struct Candidate {
  double preference;
  size_t layer;  // place in the views
  int64_t head;
};

/// Number by which a head is chosen, the larger the sooner.
double preference(const LayerView& view, int64_t head, const VoterRule& rule) {
  if (rule.kind == "all") return 0;
  const auto layer = static_cast<size_t>(view.layer);
  if (rule.kind == "random") {
    const auto bits = mixed(mixed(rule.seed ^ mixed(layer)) ^ static_cast<uint64_t>(head));
    return static_cast<double>(bits >> 11);
  }
  require(view.profile != nullptr && view.profile->head_kinds.contains(rule.kind), Kind::config,
          "window_vote needs {} head scores of a profile: run srh-identify", rule.kind);
  const auto& scores = view.profile->head_kinds.at(rule.kind);
  require(layer < scores.size() && scores[layer].size() == static_cast<size_t>(view.heads()),
          Kind::config, "the profile's {} head scores are not of layer {} with {} heads", rule.kind,
          view.layer, view.heads());
  return scores[layer][static_cast<size_t>(head)];
}

}  // namespace

bool is_ranked(const VoterRule& rule) {
  return rule.kind != "all" && rule.kind != "random";
}

std::vector<std::vector<int64_t>> voters_of_model(std::span<const LayerView> layers,
                                                  const VoterRule& rule) {
  std::vector<Candidate> candidates;
  for (size_t layer = 0; layer < layers.size(); ++layer) {
    for (int64_t head = 0; head < layers[layer].heads(); ++head) {
      candidates.push_back({preference(layers[layer], head, rule), layer, head});
    }
  }
  const auto all = static_cast<int64_t>(candidates.size());
  const int64_t wanted = rule.kind == "all" ? all : rule.count;
  require(wanted <= all, Kind::config, "voter_heads = {}, need <= {} (heads to choose from)",
          wanted, all);
  std::stable_sort(
      candidates.begin(), candidates.end(),
      [](const Candidate& a, const Candidate& b) { return a.preference > b.preference; });
  std::vector<std::vector<int64_t>> voters(layers.size());
  for (int64_t i = 0; i < wanted; ++i) {
    const auto& chosen = candidates[static_cast<size_t>(i)];
    voters[chosen.layer].push_back(chosen.head);
  }
  return voters;
}

std::vector<int64_t> voters_of_layer(const LayerView& view, const VoterRule& rule) {
  return voters_of_model({&view, 1}, rule).front();
}

}  // namespace kvcal
