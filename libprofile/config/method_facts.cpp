// SPDX-License-Identifier: Apache-2.0
#include "kvcal/compress/error.hpp"
#include "kvcal/profile/method.hpp"

namespace kvcal {
namespace {

void require_part(bool is_needed, bool is_there, const Method& method, std::string_view what,
                  std::string_view program, std::string_view profile_file) {
  if (!is_needed || is_there) return;
  if (profile_file.empty()) {
    fail(Kind::config, "method {} needs {}: give --profile with what {} wrote", method.name, what,
         program);
  }
  fail(Kind::config, "method {} needs {}, which {} lacks: run {} on it", method.name, what,
       profile_file, program);
}

}  // namespace

void require_facts(const Method& method, const ProfileFacts& facts, std::string_view profile_file) {
  const Needs needs = method.needs();
  require_part(needs.semantic_ranking, facts.semantic_ranking.has_value(), method,
               "semantic retrieval heads", "srh-identify", profile_file);
  for (const auto& kind : needs.head_kinds) {
    require_part(true, facts.head_kinds.contains(kind), method, kind + " head scores",
                 "srh-identify", profile_file);
  }
  require_part(needs.layer_error, facts.layer_error.has_value(), method, "layer errors",
               "layer-budget", profile_file);
  require_part(needs.head_scores, facts.head_scores.has_value(), method, "head scores",
               "srh-identify", profile_file);
  require_part(needs.layer_costs, facts.layer_costs.has_value(), method, "cost curves of layers",
               "layer-budget --measure kl", profile_file);
  require_part(needs.kv_head_costs, facts.kv_head_costs.has_value(), method,
               "cost curves of KV heads", "layer-budget --measure utility", profile_file);
  require_part(needs.streaming_pattern, facts.streaming_pattern.has_value(), method,
               "a pattern of streaming heads", "kv-inspect import --format duo", profile_file);
  require_part(needs.prune_table, facts.prune_table.has_value(), method, "a table of head budgets",
               "kv-inspect import --format lukv", profile_file);
  require_part(needs.kv_head_influence, facts.kv_head_influence.has_value(), method,
               "the influence of KV heads", "layer-budget --measure influence", profile_file);
  require_part(needs.kv_head_shares, facts.kv_head_shares.has_value(), method, "shares of KV heads",
               "kv-inspect import --format am_head_budgets", profile_file);
}

}  // namespace kvcal
