// SPDX-License-Identifier: Apache-2.0
// kv-tune: calibrates the selection parameters that papers set by hand. Adds them to a profile.
#include "kv_tune/tuning.hpp"
#include "shared/app.hpp"

int main(int argc, char** argv) {
  using namespace kvcal;
  TuneFlags flags;
  const AppInfo info{
      "kv-tune",
      "Searches selection parameters (window, pool, which heads vote, allocator) on calibration "
      "prompts, checks them on held-out ones and adds them to a profile.",
      "  kv-tune --model models/SmolLM2-135M-Instruct --profile profile.h5\n"
      "  kv-tune --model DIR --profile profile.h5 --spaces compresskv --tasks jsonl:mine.jsonl "
      "--budgets 3%,6%"};
  const auto add_flags = [&](CLI::App& app) {
    add_shared_flags(app, flags.shared);
    app.add_option("--profile", flags.profile, "profile to read heads from and to add to")
        ->required();
    add_list(app, "--spaces", flags.spaces, "names in configs/tuning, or YAML files");
    add_list(app, "--tasks", flags.tasks, "calibration prompts");
    add_list(app, "--task-param", flags.task_params, "key=value for the tasks")->delimiter('\0');
    app.add_option("--budgets", flags.budgets, "tokens (64), shares (3%) or bytes (8MiB)")
        ->capture_default_str();
    app.add_option("--visibility", flags.visibility, "aware, agnostic or multi")
        ->capture_default_str();
    app.add_option("--held-out", flags.held_out, "share of the prompts that only check the choice")
        ->check(CLI::Range(0.1, 0.9))
        ->capture_default_str();
    app.add_option("--random-points", flags.random_points, "points of the first round")
        ->check(CLI::NonNegativeNumber)
        ->capture_default_str();
    app.add_option("--rounds", flags.rounds, "at most; each tries all neighbours of the best point")
        ->check(CLI::PositiveNumber)
        ->capture_default_str();
  };
  return run_app(argc, argv, info, add_flags, [&](CLI::App& app) { return tune(flags, app); });
}
