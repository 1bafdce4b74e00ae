// SPDX-License-Identifier: Apache-2.0
#include "kvcal/compress/error.hpp"
#include "kvcal/profile/method.hpp"

namespace kvcal {

std::vector<MissingFact> missing_facts(const Method& method, const ProfileFacts& facts) {
  const Needs needs = method.needs();
  std::vector<MissingFact> missing;
  const auto check = [&](bool is_needed, bool is_there, std::string what, std::string program) {
    if (is_needed && !is_there) missing.push_back({std::move(what), std::move(program)});
  };
  check(needs.semantic_ranking, facts.semantic_ranking.has_value(), "semantic retrieval heads",
        "srh-identify");
  for (const auto& kind : needs.head_kinds) {
    check(true, facts.head_kinds.contains(kind), kind + " head scores", "srh-identify");
  }
  check(needs.layer_error, facts.layer_error.has_value(), "layer errors", "layer-budget");
  check(needs.layer_error_curves, facts.layer_error_curves.has_value(),
        "layer errors at several budgets", "layer-budget --measure error");
  check(needs.head_scores, facts.head_scores.has_value(), "head scores", "srh-identify");
  check(needs.layer_costs, facts.layer_costs.has_value(), "cost curves of layers",
        "layer-budget --measure kl");
  check(needs.kv_head_costs, facts.kv_head_costs.has_value(), "cost curves of KV heads",
        "layer-budget --measure utility");
  check(needs.streaming_pattern, facts.streaming_pattern.has_value(),
        "a pattern of streaming heads", "kv-inspect import --format duo");
  check(needs.prune_table, facts.prune_table.has_value(), "a table of head budgets",
        "kv-inspect import --format lukv");
  check(needs.kv_head_influence, facts.kv_head_influence.has_value(), "the influence of KV heads",
        "layer-budget --measure influence");
  check(needs.kv_head_shares, facts.kv_head_shares.has_value(), "shares of KV heads",
        "kv-inspect import --format am_head_budgets");
  return missing;
}

void require_facts(const Method& method, const ProfileFacts& facts, std::string_view profile_file) {
  const auto missing = missing_facts(method, facts);
  if (missing.empty()) return;
  const auto& [what, program] = missing.front();
  require(!profile_file.empty(), Kind::config,
          "method {} needs {}: give --profile with what {} wrote", method.name, what, program);
  fail(Kind::config, "method {} needs {}, which {} lacks: run {} on it", method.name, what,
       profile_file, program);
}

}  // namespace kvcal
