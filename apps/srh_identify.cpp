// SPDX-License-Identifier: Apache-2.0
// srh-identify: which attention heads retrieve. Writes a profile.
#include "shared/app.hpp"
#include "srh_identify/identification.hpp"

int main(int argc, char** argv) {
  using namespace kvcal;
  IdentifyFlags flags;
  const AppInfo info{
      "srh-identify",
      "Ranks attention heads as semantic and traditional retrieval heads and writes them to a "
      "profile.",
      "  srh-identify --model models/SmolLM2-135M-Instruct --output profile.h5\n"
      "  srh-identify --model DIR --output profile.h5 --protocol compresskv --haystack PARTS "
      "--needles needles.jsonl --lengths 1000,2000"};
  const auto add_flags = [&](CLI::App& app) {
    add_shared_flags(app, flags.shared);
    app.get_option("--output")->required();
    app.add_option("--kind", flags.kinds,
                   "heads that hold the answer while it is generated (semantic), that copy it "
                   "(traditional), that find it from the prompt's end (window)")
        ->delimiter(',')
        ->check(CLI::IsMember(flags.kinds))
        ->capture_default_str();
    app.add_option("--lengths", flags.lengths, "prompt lengths in tokens")
        ->delimiter(',')
        ->check(CLI::PositiveNumber)
        ->capture_default_str();
    app.add_option("--depths", flags.depths, "where the needle stands, 0 = start, 1 = end")
        ->delimiter(',')
        ->check(CLI::Range(0.0, 1.0))
        ->capture_default_str();
    app.add_option("--haystack", flags.haystack,
                   "folder of texts, one sub-folder a haystack (default: ours)");
    app.add_option("--needles", flags.needles, "JSONL of needles (default: our calibration set)");
    app.add_option("--needles-per-cell", flags.needles_per_cell, "trials for each length and depth")
        ->check(CLI::PositiveNumber)
        ->capture_default_str();
    app.add_option("--protocol", flags.protocol, "sound, or compresskv (the authors' rules)")
        ->check(CLI::IsMember({"sound", "compresskv"}))
        ->capture_default_str();
    app.add_option("--until-stable", flags.until_stable,
                   "stop when even and odd prompts agree so far on the ranking (rank correlation), "
                   "e.g. 0.95")
        ->check(CLI::Range(0.0, 1.0));
    app.add_option("--top", flags.top, "heads to print")
        ->check(CLI::PositiveNumber)
        ->capture_default_str();
  };
  return run_app(argc, argv, info, add_flags,
                 [&](CLI::App& app) { return identify_heads(flags, app); });
}
