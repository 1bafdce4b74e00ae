// SPDX-License-Identifier: Apache-2.0
// merge, diff: several profiles of one model.
#include "kv_inspect/commands.hpp"
#include "kvcal/profile/profile_difference.hpp"
#include "shared/app.hpp"
#include "shared/table.hpp"

namespace kvcal {
namespace {

struct MergeFlags {
  std::vector<std::string> files;
  StoredFlags stored;
};

int merge_profiles(const MergeFlags& flags) {
  require_writable(flags.stored);
  std::vector<Profile> profiles;
  std::string resolved = "command: merge\nprofiles_sha256:\n";
  for (const auto& file : flags.files) {
    profiles.push_back(Profile::load(file));
    resolved += fmt::format("- {}\n", sha256_of_file(file));
  }
  Profile merged = merge(profiles);
  begin_stage(merged, flags.stored, resolved);
  merged.save(flags.stored.output);
  std::string text;
  for (const auto& [kind, scores] : merged.heads)
    text += fmt::format("heads {}: {} prompts\n", kind, scores.count);
  for (const auto& [dataset, errors] : merged.layer_errors)
    text += fmt::format("layer errors {}: {} decode steps\n", dataset, errors.count);
  print_result(text + fmt::format("wrote {}\n", flags.stored.output));
  return kDone;
}

int compare_profiles(const std::string& first, const std::string& second) {
  const auto found = differences(Profile::load(first), Profile::load(second));
  Table table({"<part", "<" + first, "<" + second, "<agreement"});
  bool is_equal = true;
  for (const auto& difference : found) {
    table.add({difference.part, difference.first, difference.second, difference.agreement});
    is_equal = is_equal && !difference.is_content;
  }
  print_result((found.empty() ? "" : table.text() + "\n") +
               (is_equal ? "equal in content\n" : "different\n"));
  return is_equal ? kDone : kGateFailed;
}

}  // namespace

void add_merge_command(CLI::App& app, Command& chosen) {
  auto* command = app.add_subcommand("merge", "profiles of one model as one: sums and counts add");
  auto flags = std::make_shared<MergeFlags>();
  command->add_option("FILES", flags->files, "two profiles or more")->required()->expected(2, -1);
  add_stored_flags(*command, flags->stored, "profile to write");
  command->get_option("--output")->required();
  command->callback([&chosen, flags] { chosen = [flags] { return merge_profiles(*flags); }; });
}

void add_diff_command(CLI::App& app, Command& chosen) {
  auto* command =
      app.add_subcommand("diff", "where two profiles differ; exit code 1 if in content");
  auto files = std::make_shared<std::pair<std::string, std::string>>();
  command->add_option("A", files->first, "profile, HDF5")->required();
  command->add_option("B", files->second, "profile, HDF5")->required();
  command->callback([&chosen, files] {
    chosen = [files] { return compare_profiles(files->first, files->second); };
  });
}

}  // namespace kvcal
