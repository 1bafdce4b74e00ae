// SPDX-License-Identifier: Apache-2.0
// What kv-tune found, as the profile keeps it.
#include <algorithm>

#include "kvcal/compress/error.hpp"
#include "kvcal/profile/tune.hpp"

namespace kvcal {
namespace {

/// Null where the method could not honour the budget on any prompt.
const HeldOutRow* row_of(const TunedSpace& tuned, const std::string& method,
                         const std::string& budget) {
  const auto found = std::find_if(tuned.rows.begin(), tuned.rows.end(), [&](const HeldOutRow& row) {
    return row.method == method && row.budget == budget;
  });
  return found == tuned.rows.end() ? nullptr : &*found;
}

Selection setting_of(const TunedSpace& tuned, const TunedBudget& at, const std::string& tasks) {
  const HeldOutRow* chosen = row_of(tuned, tuned.chosen, at.budget);
  const HeldOutRow* full = row_of(tuned, "full", "full");
  require(chosen != nullptr && full != nullptr, Kind::config,
          "{}: no held-out prompt is long enough for a budget of {}", tuned.name, at.budget);
  Selection setting;
  setting.method = at.contenders.front().resolved();
  setting.tasks = tasks;
  setting.budgets = at.budget;
  setting.budget_tokens = chosen->budget_tokens;
  setting.tuned_on = tuned.tuned_on;
  setting.held_out = chosen->n;
  setting.loss = chosen->loss;
  setting.score = chosen->score;
  setting.full_score = full->score;
  if (const HeldOutRow* paper = row_of(tuned, tuned.compared_with, at.budget)) {
    setting.compared_with = tuned.compared_with;
    setting.default_loss = paper->loss;
    setting.default_score = paper->score;
  }
  return setting;
}

}  // namespace

std::vector<Selection> settings_of(const TunedSpace& tuned, const std::string& tasks) {
  std::vector<Selection> settings;
  for (const auto& at : tuned.budgets) settings.push_back(setting_of(tuned, at, tasks));
  const auto is_smaller = [](const Selection& a, const Selection& b) {
    return a.budget_tokens < b.budget_tokens;
  };
  std::stable_sort(settings.begin(), settings.end(), is_smaller);
  // Two ways to write one budget ("64", "64.0%") have one setting.
  const auto is_same = [](const Selection& a, const Selection& b) {
    return a.budget_tokens == b.budget_tokens;
  };
  settings.erase(std::unique(settings.begin(), settings.end(), is_same), settings.end());
  return settings;
}

}  // namespace kvcal
