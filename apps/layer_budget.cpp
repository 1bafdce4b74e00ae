// SPDX-License-Identifier: Apache-2.0
// layer-budget: what eviction costs each layer, and the budgets that follow. Adds both to a
// profile.
#include "kvcal/profile/measure.hpp"
#include "layer_budget/layer_errors.hpp"
#include "shared/app.hpp"

namespace {

std::string measures_help() {
  std::string text;
  for (const auto* info : kvcal::measure_table()) {
    text += fmt::format("{} ({}), ", info->name, info->summary);
  }
  return text + "several; default: what --allocators need";
}

}  // namespace

int main(int argc, char** argv) {
  using namespace kvcal;
  LayerBudgetFlags flags;
  const AppInfo info{
      "layer-budget",
      "Measures each layer's eviction error on calibration prompts and adds errors and layer "
      "budgets to a "
      "profile.",
      "  layer-budget --model models/SmolLM2-135M-Instruct --profile profile.h5\n"
      "  layer-budget --model DIR --profile profile.h5 --tasks niah_calibration,jsonl:mine.jsonl "
      "--budgets 64,128"};
  const auto add_flags = [&](CLI::App& app) {
    add_shared_flags(app, flags.shared);
    app.add_option("--profile", flags.profile, "profile to read heads from and to add to")
        ->required();
    add_list(app, "--tasks", flags.tasks, "calibration prompts");
    add_list(app, "--task-param", flags.task_params, "key=value for the tasks")->delimiter('\0');
    app.add_option("--method", flags.method,
                   "evicts the prompt; its kept set is what is measured (error; default: "
                   "compresskv)");
    app.add_option("--error-budget", flags.error_budget_tokens, "tokens the method keeps per layer")
        ->check(CLI::PositiveNumber)
        ->capture_default_str();
    app.add_option("--error-curve", flags.error_curve,
                   "more budgets in tokens to measure the error at; those that the method cannot "
                   "honour are left out")
        ->delimiter(',')
        ->check(CLI::PositiveNumber)
        ->capture_default_str();
    app.add_option("--measure", flags.measures, measures_help())->delimiter(',');
    app.add_option("--cost-method", flags.cost_method,
                   "cuts the one layer or KV head (kl, utility: compresskv_wide; influence: "
                   "am_highest_attention)");
    app.add_option("--shares", flags.shares, "of the prompt that it keeps (all but error)")
        ->delimiter(',')
        ->check(CLI::Range(0.0, 1.0))
        ->capture_default_str();
    app.add_option("--rest-share", flags.rest_share, "that all other KV heads keep (influence)")
        ->check(CLI::Range(0.0, 1.0))
        ->capture_default_str();
    add_list(app, "--allocators", flags.allocators, "rules whose budgets are stored");
    app.add_option("--budgets", flags.budgets, "budgets in tokens to allocate for")
        ->delimiter(',')
        ->check(CLI::PositiveNumber)
        ->capture_default_str();
  };
  return run_app(argc, argv, info, add_flags,
                 [&](CLI::App& app) { return measure_layer_budgets(flags, app); });
}
