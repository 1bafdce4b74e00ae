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

std::string heading(const TunedSpace& space, const TunedBudget& at) {
  std::string text =
      fmt::format("\n{} at {}: {} points tried on {} prompts in {} rounds\n", space.name, at.budget,
                  at.search.tried, space.tuned_on, at.search.rounds.size());
  for (const auto& round : at.search.rounds) {
    text += fmt::format("  {} points, best loss {:.3f}\n", round.points, round.loss);
  }
  text += "finalists, best loss first, score on these prompts:";
  for (const auto& row : at.finalists) text += " " + format_score(row.score);
  std::string values;
  for (const auto& [axis, value] : at.chosen) {
    values += fmt::format("{}{}: {}", values.empty() ? "" : ", ", axis, to_string(value));
  }
  return text + fmt::format("\nchosen: {}\n", values);
}

/// Full cache, then the contenders in their order.
std::string held_out_table(const TunedSpace& space, const TunedBudget& at) {
  Table table({"<held out", "budget", "tokens", "n", "score", "95% interval", "loss",
               "loss less the chosen one's", "score less its"});
  for (const auto& row : space.rows) {
    const bool is_chosen = row.method == space.chosen;
    const bool is_full = row.budget == "full";
    if (!is_full && row.budget != at.budget) continue;
    table.add(
        {row.method, row.budget, fmt::format("{:.0f}", row.budget_tokens), std::to_string(row.n),
         format_score(row.score), format_interval(row.score_interval.low, row.score_interval.high),
         is_full ? "" : fmt::format("{:.3f}", row.loss),
         is_full || is_chosen ? "" : signed_interval(row.loss_delta, row.loss_delta_interval),
         is_full || is_chosen ? "" : signed_interval(row.score_delta, row.score_delta_interval)});
  }
  return table.text();
}

/// What could not be compared, and why.
std::string left_out_lines(const TunedBudget& at) {
  std::string text;
  for (const auto& [method, reason] : at.left_out) {
    text += fmt::format("left out at {}: {}: {}\n", at.budget, method, reason);
  }
  return text;
}

/// One sentence: is the choice better than the paper's values?
std::string verdict(const TunedSpace& space, const TunedBudget& at) {
  for (const auto& row : space.rows) {
    if (row.method != space.compared_with || row.budget != at.budget) continue;
    const auto& interval = row.loss_delta_interval;
    const char* says = interval.low > 0    ? "worse than the chosen values"
                       : interval.high < 0 ? "better than the chosen values: keep them"
                                           : "as good as the chosen values";
    return fmt::format("at {}, {}'s own values are {} (loss {})\n", row.budget, row.method, says,
                       signed_interval(row.loss_delta, interval));
  }
  return fmt::format("at {}, {} cannot be run: its window is larger\n", at.budget,
                     space.compared_with);
}

}  // namespace

std::string tuned_as_table(const std::vector<TunedSpace>& spaces, const std::string& profile) {
  std::string text = "loss: KL to the full cache + what the reference answer lost, nats a token\n";
  for (const auto& space : spaces) {
    for (const auto& at : space.budgets) {
      text +=
          heading(space, at) + held_out_table(space, at) + left_out_lines(at) + verdict(space, at);
    }
  }
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
    entry["prompts"] = space.tuned_on;
    for (const auto& at : space.budgets) {
      auto& of_budget = entry["budgets"][at.budget];
      of_budget["points"] = at.search.tried;
      of_budget["evaluations"] = at.search.looked;
      of_budget["loss"] = number(at.search.loss);
      for (const auto& row : at.finalists)
        of_budget["finalist_scores"].push_back(number(row.score));
      for (const auto& [axis, value] : at.chosen) {
        of_budget["chosen"][axis] = to_string(value);
      }
      for (const auto& [method, reason] : at.left_out) {
        of_budget["left_out"].push_back({{"method", method}, {"reason", reason}});
      }
    }
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
