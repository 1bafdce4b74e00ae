// SPDX-License-Identifier: Apache-2.0
#include "kv_tune/tune_report.hpp"

#include <nlohmann/json.hpp>

#include "shared/table.hpp"

namespace kvcal {
namespace {

std::string signed_interval(double value, const Interval& interval) {
  if (std::isnan(interval.low)) return "-";
  return fmt::format("{:+.3f} [{:+.3f}, {:+.3f}]", value, interval.low, interval.high);
}

std::string heading(const TunedSpace& space) {
  std::string text = fmt::format("\n{}: {} points tried on {} prompts in {} rounds\n", space.name,
                                 space.search.tried, space.tuned_on, space.search.rounds.size());
  for (const auto& round : space.search.rounds) {
    text += fmt::format("  {} points, best loss {:.3f}\n", round.points, round.loss);
  }
  std::string values;
  for (const auto& [axis, value] : space.search.best) {
    values += fmt::format("{}{}: {}", values.empty() ? "" : ", ", axis, to_string(value));
  }
  return text + fmt::format("chosen: {}\n", values);
}

/// Rows of the contenders, in their order; full cache first.
std::string held_out_table(const TunedSpace& space) {
  Table table({"<held out", "budget", "tokens", "n", "score", "95% interval", "loss",
               "loss less the chosen one's", "score less its"});
  for (const auto& row : space.rows) {
    const bool is_chosen = row.method == space.contenders.front().name;
    const bool is_full = row.budget == "full";
    table.add(
        {row.method, row.budget, fmt::format("{:.0f}", row.budget_tokens), std::to_string(row.n),
         format_score(row.score), format_interval(row.score_interval.low, row.score_interval.high),
         is_full ? "" : fmt::format("{:.3f}", row.loss),
         is_full || is_chosen ? "" : signed_interval(row.loss_delta, row.loss_delta_interval),
         is_full || is_chosen ? "" : signed_interval(row.score_delta, row.score_delta_interval)});
  }
  return table.text();
}

/// One sentence a budget: is the choice better than the paper's values?
std::string verdict(const TunedSpace& space) {
  std::string text;
  for (const auto& row : space.rows) {
    if (row.method != space.compared_with) continue;
    const auto& interval = row.loss_delta_interval;
    const char* says = interval.low > 0    ? "worse than the chosen values"
                       : interval.high < 0 ? "better than the chosen values: keep them"
                                           : "as good as the chosen values";
    text += fmt::format("at {}, {}'s own values are {} (loss {})\n", row.budget, row.method, says,
                        signed_interval(row.loss_delta, interval));
  }
  return text;
}

}  // namespace

std::string tuned_as_table(const std::vector<TunedSpace>& spaces, const std::string& profile) {
  std::string text = "loss: KL to the full cache + what the reference answer lost, nats a token\n";
  for (const auto& space : spaces) text += heading(space) + held_out_table(space) + verdict(space);
  return text + fmt::format("\nwrote {}\n", profile);
}

std::string tuned_as_json(const std::vector<TunedSpace>& spaces) {
  const auto number = [](double value) {
    return std::isfinite(value) ? nlohmann::ordered_json(value) : nlohmann::ordered_json();
  };
  const auto interval = [&](const Interval& of) {
    return nlohmann::ordered_json{number(of.low), number(of.high)};
  };
  nlohmann::ordered_json json{{"format", "kvcal.tuning/1"}};
  for (const auto& space : spaces) {
    auto& entry = json["spaces"][space.name];
    entry["points"] = space.search.tried;
    entry["prompts"] = space.tuned_on;
    for (const auto& [axis, value] : space.search.best) entry["chosen"][axis] = to_string(value);
    for (const auto& row : space.rows) {
      entry["held_out"].push_back({{"method", row.method},
                                   {"budget", row.budget},
                                   {"budget_tokens", row.budget_tokens},
                                   {"n", row.n},
                                   {"score", number(row.score)},
                                   {"score_ci", interval(row.score_interval)},
                                   {"loss", number(row.loss)},
                                   {"loss_ci", interval(row.loss_interval)},
                                   {"loss_delta", number(row.loss_delta)},
                                   {"loss_delta_ci", interval(row.loss_delta_interval)},
                                   {"score_delta", number(row.score_delta)},
                                   {"score_delta_ci", interval(row.score_delta_interval)}});
    }
  }
  return json.dump(2) + "\n";
}

}  // namespace kvcal
