// SPDX-License-Identifier: Apache-2.0
#include "srh_identify/head_report.hpp"

#include <algorithm>
#include <cmath>
#include <nlohmann/json.hpp>

#include "kvcal/profile/identify.hpp"
#include "shared/table.hpp"

namespace kvcal {
namespace {

nlohmann::ordered_json number_or_null(double value) {
  if (std::isnan(value)) return nullptr;
  return value;
}

}  // namespace

namespace {

/// How the agreement of halves grew with the prompts: "8: 0.71, 16: 0.85".
std::string growth(const HeadScores& scores) {
  std::string text;
  for (int64_t prompts = 8; prompts < scores.count; prompts *= 2) {
    text += fmt::format("{}{}: {}", text.empty() ? "" : ", ", prompts,
                        format_score(half_agreement(scores, prompts).spearman));
  }
  return text.empty() ? "" : fmt::format("  (by prompts: {})\n", text);
}

/// Does the ranking depend on how long the prompt is, on what it is about, on the needles?
std::string stability(const HeadScores& scores, const IdentifyFlags& flags, const HeadRun& run) {
  Table table({"<prompts by", "<these", "<against", "n", "rank correlation", "95% interval",
               "best heads shared"});
  for (const auto& [name, groups] : run.groups) {
    for (const auto& pair : rank_agreements(scores, groups, run.needle_of_prompt,
                                            static_cast<uint64_t>(flags.shared.seed))) {
      table.add({name, pair.first, pair.second,
                 fmt::format("{} + {}", pair.first_prompts, pair.second_prompts),
                 format_score(pair.spearman),
                 format_interval(pair.interval.low, pair.interval.high),
                 fmt::format("{:.0f} of {}", pair.top_overlap * static_cast<double>(pair.top),
                             pair.top)});
    }
  }
  return table.text();
}

/// Heads that two kinds both have among their best.
std::string overlaps(const IdentifyFlags& flags, const HeadRun& run) {
  std::string text;
  for (size_t i = 0; i < flags.kinds.size(); ++i) {
    for (size_t j = i + 1; j < flags.kinds.size(); ++j) {
      const auto a = run.scores.at(flags.kinds[i]).mean(), b = run.scores.at(flags.kinds[j]).mean();
      const auto top = std::min<int64_t>(20, static_cast<int64_t>(a.size()));
      text += fmt::format("{} and {} share {:.0f} of their {} best heads\n", flags.kinds[i],
                          flags.kinds[j], top_overlap(a, b, top) * static_cast<double>(top), top);
    }
  }
  return text.empty() ? "" : "\n" + text;
}

}  // namespace

std::string heads_as_table(const IdentifyFlags& flags, const HeadRun& run) {
  std::string text =
      fmt::format("{} of {} prompts passed the answer gate\n", run.passed, run.trials);
  if (run.without_span > 0) {
    text += fmt::format("{} prompts lack the answer's tokens and scored 0\n", run.without_span);
  }
  for (const auto& kind : flags.kinds) {
    const auto& scores = run.scores.at(kind);
    Table table({"rank", "layer", "head", "score", "95% interval"});
    int64_t rank = 0;
    for (const auto& head : top_heads(scores, flags.top, run.needle_of_prompt,
                                      static_cast<uint64_t>(flags.shared.seed))) {
      table.add({std::to_string(++rank), std::to_string(head.layer), std::to_string(head.head),
                 format_score(head.mean), format_interval(head.interval.low, head.interval.high)});
    }
    const auto agreement = half_agreement(scores);
    text +=
        fmt::format("\n{} retrieval heads (n = {} prompts)\n{}", kind, scores.count, table.text());
    text += fmt::format("even against odd prompts: rank correlation {}, {} of the top {} shared\n",
                        format_score(agreement.spearman),
                        std::isnan(agreement.top_overlap)
                            ? "-"
                            : fmt::format("{:.0f}%", 100 * agreement.top_overlap),
                        agreement.top);
    text += growth(scores) + stability(scores, flags, run);
  }
  return text + overlaps(flags, run) + fmt::format("\nwrote {}\n", flags.shared.output);
}

std::string heads_as_json(const IdentifyFlags& flags, const HeadRun& run) {
  nlohmann::ordered_json json;
  json["format"] = "kvcal.heads/1";
  json["prompts"] = run.trials;
  json["passed"] = run.passed;
  for (const auto& kind : flags.kinds) {
    const auto& scores = run.scores.at(kind);
    auto& entry = json["kinds"][kind];
    const auto agreement = half_agreement(scores);
    entry["half_rank_correlation"] = number_or_null(agreement.spearman);
    entry["half_top_overlap"] = number_or_null(agreement.top_overlap);
    for (const auto& [name, groups] : run.groups) {
      for (const auto& pair : rank_agreements(scores, groups, run.needle_of_prompt,
                                              static_cast<uint64_t>(flags.shared.seed))) {
        entry["stability"][name].push_back({{"groups", {pair.first, pair.second}},
                                            {"prompts", {pair.first_prompts, pair.second_prompts}},
                                            {"rank_correlation", number_or_null(pair.spearman)},
                                            {"ci_low", number_or_null(pair.interval.low)},
                                            {"ci_high", number_or_null(pair.interval.high)},
                                            {"top_overlap", number_or_null(pair.top_overlap)}});
      }
    }
    for (const auto& head : top_heads(scores, flags.top, run.needle_of_prompt,
                                      static_cast<uint64_t>(flags.shared.seed))) {
      entry["top"].push_back({{"layer", head.layer},
                              {"head", head.head},
                              {"score", head.mean},
                              {"ci_low", number_or_null(head.interval.low)},
                              {"ci_high", number_or_null(head.interval.high)}});
    }
  }
  return json.dump(2) + "\n";
}

}  // namespace kvcal
