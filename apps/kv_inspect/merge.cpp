// SPDX-License-Identifier: Apache-2.0
// merge: profiles of one model, or shards of one run; diff: two profiles.
#include "kv_inspect/commands.hpp"
#include "kvcal/compress/error.hpp"
#include "kvcal/profile/profile_difference.hpp"
#include "kvcal/profile/results.hpp"
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

int merge_results(const MergeFlags& flags) {
  require_writable(flags.stored);
  std::vector<Results> shards;
  std::vector<std::filesystem::path> files(flags.files.begin(), flags.files.end());
  for (const auto& file : files) shards.push_back(Results::load(file));
  const Results merged = merge(shards, files);
  merged.save(flags.stored.output);
  print_result(fmt::format("{} shards: {} rows\nwrote {}\n", shards.size(), merged.records.size(),
                           flags.stored.output));
  return kDone;
}

struct MergeableFormat {
  std::string_view name;
  int (*merge)(const MergeFlags&);
};
constexpr MergeableFormat kFormats[] = {{"kvcal.profile", merge_profiles},
                                        {"kvcal.results", merge_results}};

/// The first file says what is merged; its loader refuses the others if they are something else.
int merge_files(const MergeFlags& flags) {
  const std::string format = format_of(flags.files.front());
  for (const auto& known : kFormats) {
    if (known.name == format) return known.merge(flags);
  }
  fail(Kind::input, "{}: a {} file, need kvcal.profile or kvcal.results", flags.files.front(),
       format);
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
  auto* command = app.add_subcommand("merge",
                                     "profiles of one model as one: sums and counts add; or all "
                                     "shards of a run (kv-eval --shard)");
  auto flags = std::make_shared<MergeFlags>();
  command->add_option("FILES", flags->files, "two files or more of one kind")
      ->required()
      ->expected(2, -1);
  add_stored_flags(*command, flags->stored, "file to write");
  command->get_option("--output")->required();
  command->callback([&chosen, flags] { chosen = [flags] { return merge_files(*flags); }; });
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
