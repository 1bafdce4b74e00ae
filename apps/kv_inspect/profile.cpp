// SPDX-License-Identifier: Apache-2.0
#include "kvcal/profile/profile.hpp"

#include <algorithm>

#include "kv_inspect/commands.hpp"
#include "kvcal/profile/identify.hpp"
#include "shared/app.hpp"
#include "shared/table.hpp"

namespace kvcal {
namespace {

std::string show_heads(const std::string& kind, const HeadScores& scores) {
  std::string text = fmt::format("\n{} retrieval heads, {} prompts\n", kind, scores.count);
  Table table({"layer", "head", "score", "95% interval"});
  for (const auto& head : top_heads(scores, 10, {}, 0)) {
    table.add({std::to_string(head.layer), std::to_string(head.head), format_score(head.mean),
               format_interval(head.interval.low, head.interval.high)});
  }
  return text + table.text();
}

/// Mean error of each layer at each budget of the curve.
std::string show_error_curve(const std::string& dataset, const LayerErrors& errors) {
  if (errors.curve_tokens.empty() || errors.count == 0) return "";
  std::vector<std::string> columns{"layer"};
  for (int64_t tokens : errors.curve_tokens) columns.push_back(fmt::format("{} tokens", tokens));
  Table table(columns);
  const size_t points = errors.curve_tokens.size();
  for (size_t layer = 0; layer < errors.sum.size(); ++layer) {
    std::vector<std::string> row{std::to_string(layer)};
    for (size_t point = 0; point < points; ++point) {
      const double sum = errors.curve[layer * points + point];
      row.push_back(fmt::format("{:.4f}", sum / static_cast<double>(errors.count)));
    }
    table.add(row);
  }
  return fmt::format("\nlayer error by tokens kept, {}\n{}", dataset, table.text());
}

std::string show_layers(const Profile& profile) {
  std::string text = "\nlayer errors\n";
  for (const auto& [dataset, errors] : profile.layer_errors) {
    text += fmt::format("  {}: {} decode steps\n", dataset, errors.count);
  }
  const auto importance = profile.layer_importance();
  Table table({"layer", "share"});
  for (size_t layer = 0; layer < importance.size(); ++layer) {
    table.add({std::to_string(layer), fmt::format("{:.4f}", importance[layer])});
  }
  text += table.text();
  for (const auto& [dataset, errors] : profile.layer_errors) {
    text += show_error_curve(dataset, errors);
  }
  return text;
}

std::string show_budgets(const Profile& profile) {
  Table table({"<allocator", "budget", "least", "most", "sum"});
  for (const auto& [allocator, by_budget] : profile.budgets) {
    for (const auto& [budget, kept] : by_budget) {
      int64_t sum = 0;
      for (int64_t entries : kept) sum += entries;
      const auto [least, most] = std::minmax_element(kept.begin(), kept.end());
      table.add({allocator, std::to_string(budget), std::to_string(*least), std::to_string(*most),
                 std::to_string(sum)});
    }
  }
  return "\nbudgets, entries per layer and KV head\n" + table.text();
}

std::string show_setting(const std::string& name, const Selection& chosen) {
  // Older files do not say how many tokens that was.
  const std::string tokens =
      chosen.budget_tokens > 0 ? fmt::format(" ({:.0f} tokens)", chosen.budget_tokens) : "";
  std::string text = fmt::format(
      "\nselection {} at {}{}: loss {:.3f}, score {} (full {}) on {} held-out prompts of {}\n",
      name, chosen.budgets, tokens, chosen.loss, format_score(chosen.score),
      format_score(chosen.full_score), chosen.held_out, chosen.tasks);
  if (!chosen.compared_with.empty()) {
    text += fmt::format("{} there: loss {:.3f}, score {}\n", chosen.compared_with,
                        chosen.default_loss, format_score(chosen.default_score));
  }
  return text + chosen.method;
}

std::string show_selections(const Profile& profile) {
  std::string text;
  for (const auto& [name, settings] : profile.selections) {
    for (const auto& chosen : settings) text += show_setting(name, chosen);
  }
  return text;
}

std::string show_costs(const Profile& profile) {
  std::string text;
  for (const auto& [name, costs] : {std::pair("layers", &profile.layer_costs),
                                    {"KV heads", &profile.kv_head_costs},
                                    {"KV heads' influence", &profile.kv_head_influence}}) {
    if (!*costs) continue;
    text += fmt::format("\ncost curves of {}: {} units x {} shares, {} prompts\n", name,
                        (*costs)->units, (*costs)->shares.size(), (*costs)->count);
  }
  return text;
}

std::string show_tables(const Profile& profile) {
  std::string text;
  const auto& model = profile.model;
  if (const auto& streaming = profile.streaming) {
    text +=
        fmt::format("\nstreaming pattern  {} x {} KV heads; streaming ones keep {} + {} tokens\n",
                    model.layers, model.kv_heads, streaming->sink_tokens, streaming->recent_tokens);
  }
  if (const auto& table = profile.prune_table) {
    text += fmt::format("\nprune table        {} steps of {} x {} KV heads\n", table->steps,
                        model.layers, model.kv_heads);
  }
  if (const auto& shares = profile.kv_head_shares) {
    const auto [least, most] = std::minmax_element(shares->begin(), shares->end());
    text += fmt::format("\nKV head shares     {:.5f} .. {:.5f}, equal ones would be {:.5f}\n",
                        *least, *most, 1 / static_cast<double>(shares->size()));
  }
  return text;
}

int show_profile(const std::string& file) {
  const auto profile = Profile::load(file);
  const auto& model = profile.model;
  std::string text = fmt::format(
      "model      {}: {} layers, {} heads on {} KV heads, head_dim {}\nweights    {}\nmade by    "
      "{}\n"
      "created    {}\ncommand    {}\nprompts    {}\n",
      model.name, model.layers, model.heads, model.kv_heads, model.head_dim, model.weights_sha256,
      profile.provenance.tool, profile.provenance.created_utc, profile.provenance.command_line,
      profile.prompts.size());
  for (const auto& [kind, scores] : profile.heads) text += show_heads(kind, scores);
  if (!profile.layer_errors.empty()) text += show_layers(profile);
  if (!profile.budgets.empty()) text += show_budgets(profile);
  text += show_costs(profile) + show_selections(profile) + show_tables(profile);
  print_result(text);
  return kDone;
}

}  // namespace

void add_profile_command(CLI::App& app, Command& chosen) {
  auto* command = app.add_subcommand("profile", "what a profile holds and how it was made");
  auto file = std::make_shared<std::string>();
  command->add_option("FILE", *file, "profile, HDF5")->required();
  command->callback([&chosen, file] { chosen = [file] { return show_profile(*file); }; });
}

}  // namespace kvcal
