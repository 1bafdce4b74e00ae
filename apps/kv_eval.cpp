// SPDX-License-Identifier: Apache-2.0
// kv-eval: accuracy versus budget of compression methods on benchmarks.
#include "kv_eval/evaluation.hpp"
#include "shared/app.hpp"

int main(int argc, char** argv) {
  using namespace kvcal;
  EvalFlags flags;
  const AppInfo info{
      "kv-eval",
      "Runs compressed inference on tasks and reports accuracy versus budget, with intervals and "
      "the bytes "
      "really kept.",
      "  kv-eval --model models/SmolLM2-135M-Instruct --tasks niah --methods full,snapkv --budgets "
      "64,6%\n"
      "  kv-eval --model DIR --profile profile.h5 --tasks niah,jsonl:mine.jsonl --methods "
      "full,compresskv,compresskv_layers --budgets 128 --output results.h5"};
  const auto add_flags = [&](CLI::App& app) {
    add_shared_flags(app, flags.shared);
    app.add_option("--profile", flags.profile, "what srh-identify and layer-budget wrote");
    add_list(app, "--tasks", flags.tasks, "names in configs/tasks, jsonl:FILE");
    add_list(app, "--task-param", flags.task_params,
             "key=value for the tasks, e.g. lengths=1000,2000")
        ->delimiter('\0');
    add_list(app, "--methods", flags.methods, "names in configs/methods, or YAML files");
    app.add_option("--budgets", flags.budgets, "tokens (64), shares (3%) or bytes (8MiB)")
        ->capture_default_str();
    add_list(app, "--visibility", flags.visibilities, "aware, agnostic, multi");
    add_list(app, "--mask", flags.masks,
             "silence heads of the full cache while it decodes: srh:10, traditional:10, random:10; "
             "with :zero their output is zero, else the mean of all entries");
    app.add_option("--memory", flags.memory,
                   "for the caches of variants, e.g. 2GiB; more variants run in several batches "
                   "(default: half of what is free)");
    app.add_flag("--no-fidelity", flags.skips_fidelity,
                 "leave out KL, top-1 agreement and likelihoods (saves up to a third of the time)");
    app.add_option("--dump-keep", flags.dump_keep,
                   "HDF5 file for the kept indices of every sample");
    app.add_option("--plot", flags.plot, "accuracy versus budget as .svg or .png (needs gnuplot)");
    app.add_option("--gate", flags.gates,
                   "what must hold, e.g. 'compresskv@3% >= 0.97*full'; else exit code 1; several "
                   "times")
        ->allow_extra_args(false);
    app.add_option("--baseline", flags.baseline,
                   "results of an earlier run: exit code 1 if the full cache drifted or a score "
                   "fell significantly");
    app.add_option("--shard", flags.shard,
                   "I/N: only the I-th of N blocks of prompts; kv-inspect merge joins the files");
    app.add_flag("--measure-latency", flags.measures_latency,
                 "then run each variant alone on the longest prompt of each task: time to first "
                 "token, tokens/s, peak memory");
    app.add_option("--latency-tokens", flags.latency_tokens, "tokens to decode")
        ->check(CLI::PositiveNumber)
        ->capture_default_str();
    app.add_option("--latency-repeats", flags.latency_repeats, "how often")
        ->check(CLI::PositiveNumber)
        ->capture_default_str();
    app.add_flag("--allow-leakage", flags.allows_leakage, "evaluate even on calibration prompts");
    app.add_flag("--list-methods", flags.is_list_methods, "print the known methods and stop");
    app.add_flag("--list-tasks", flags.is_list_tasks, "print the known tasks and stop");
    app.get_option("--model")->required(false);
  };
  return run_app(argc, argv, info, add_flags, [&](CLI::App& app) { return evaluate(flags, app); });
}
