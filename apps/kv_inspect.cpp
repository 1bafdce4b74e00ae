// SPDX-License-Identifier: Apache-2.0
// kv-inspect: looks into models, tokenizers, logits, profiles and metrics; carries profiles to and
// from other projects.
#include "kv_inspect/commands.hpp"
#include "shared/app.hpp"

int main(int argc, char** argv) {
  using namespace kvcal;
  const AppInfo info{"kv-inspect", "Shows what a model, a tokenizer or a profile holds.",
                     "  kv-inspect model models/SmolLM2-135M-Instruct\n"
                     "  echo 'Hello' | kv-inspect tokens models/SmolLM2-135M-Instruct"};
  Command chosen;
  const auto add_flags = [&](CLI::App& app) {
    app.require_subcommand(1);
    add_model_command(app, chosen);
    add_tokens_command(app, chosen);
    add_logits_command(app, chosen);
    add_profile_command(app, chosen);
    add_prompt_command(app, chosen);
    add_score_command(app, chosen);
    add_import_command(app, chosen);
    add_export_command(app, chosen);
    add_merge_command(app, chosen);
    add_diff_command(app, chosen);
  };
  return run_app(argc, argv, info, add_flags, [&](CLI::App&) { return chosen(); });
}
