// SPDX-License-Identifier: Apache-2.0
// import, export: files of other projects into a profile and out of it.
#include "kvcal/profile/exchange.hpp"

#include <fmt/ranges.h>

#include <algorithm>

#include "kv_inspect/commands.hpp"
#include "kvcal/compress/error.hpp"
#include "kvcal/profile/model.hpp"
#include "shared/app.hpp"
#include "shared/flags.hpp"
#include "shared/output.hpp"

namespace kvcal {
namespace {
namespace fs = std::filesystem;

struct ImportFlags {
  std::string file, format, kind, profile, model;
  StoredFlags stored;
};

struct ExportFlags {
  std::string profile, format, kind, output;
  bool is_force = false;
};

std::string format_names() {
  std::vector<std::string_view> names;
  for (const auto* format : exchange_table()) names.push_back(format->name);
  return fmt::format("{}", fmt::join(names, ", "));
}

void add_format_flags(CLI::App& command, std::string& format, std::string& kind) {
  command.add_option("--format", format, format_names())->required();
  command.add_option("--kind", kind, "name of the head scores (default: the format's own)");
}

/// The profile to add to: the one that is there, or an empty one of --model.
Profile open_profile(const ImportFlags& flags) {
  if (fs::exists(flags.profile)) {
    Profile profile = Profile::load(flags.profile);
    if (!flags.model.empty()) {
      const auto identity = identify_model(flags.model, read_model_config(flags.model));
      require_same_model(profile.model, identity, flags.profile);
    }
    return profile;
  }
  require(!flags.model.empty() && flags.stored.output.empty(), Kind::config,
          "--profile {}: no such file; --model DIR, without --output, starts it", flags.profile);
  Profile profile;
  profile.model = identify_model(flags.model, read_model_config(flags.model));
  return profile;
}

/// Of a folder: of its files, one after the other in name order.
std::string digest_of(const fs::path& file) {
  if (!fs::is_directory(file)) return sha256_of_file(file);
  std::vector<fs::path> files;
  for (const auto& entry : fs::directory_iterator(file)) {
    if (entry.is_regular_file()) files.push_back(entry.path());
  }
  std::sort(files.begin(), files.end());
  return sha256_of_files(files);
}

int import_foreign(const ImportFlags& flags) {
  const ExchangeInfo& format = find_exchange(flags.format);
  StoredFlags stored = flags.stored;
  Profile profile = open_profile(flags);
  if (stored.output.empty()) stored.output = flags.profile;
  require_writable(stored);
  const std::string text = import_file(format, flags.file, flags.kind, profile);
  begin_stage(profile, stored,
              fmt::format("command: import\nformat: {}\nkind: '{}'\nfile_sha256: '{}'\n",
                          flags.format, flags.kind, digest_of(flags.file)));
  profile.save(stored.output);
  print_result(fmt::format("{}\nwrote {}\n", text, stored.output));
  return kDone;
}

void write_all(const std::vector<ExportedFile>& files, const std::string& output) {
  if (files.size() == 1) return write_text_file(output, files.front().text);
  std::error_code failure;
  fs::create_directories(output, failure);
  require(!failure, Kind::input, "{}: cannot make the folder: {}", output, failure.message());
  for (const auto& file : files) write_text_file(fs::path(output) / file.name, file.text);
}

int export_foreign(const ExportFlags& flags) {
  const ExchangeInfo& format = find_exchange(flags.format);
  const auto files = export_files(format, Profile::load(flags.profile), flags.kind);
  if (flags.output.empty()) {
    require(files.size() == 1, Kind::config, "format {} is {} files: give --output DIR",
            flags.format, files.size());
    print_result(files.front().text);
    return kDone;
  }
  require(flags.is_force || !fs::exists(flags.output), Kind::config,
          "{} exists: --force replaces it", flags.output);
  write_all(files, flags.output);
  print_result(fmt::format("wrote {}\n", flags.output));
  return kDone;
}

}  // namespace

void add_import_command(CLI::App& app, Command& chosen) {
  auto* command = app.add_subcommand("import", "adds a file of another project to a profile");
  auto flags = std::make_shared<ImportFlags>();
  command->add_option("FILE", flags->file, "what the other project wrote")->required();
  add_format_flags(*command, flags->format, flags->kind);
  command->add_option("--profile", flags->profile, "profile to add to")->required();
  command->add_option("--model", flags->model,
                      "model directory; starts the profile when it is not there");
  add_stored_flags(*command, flags->stored, "write here and leave --profile as it is");
  command->callback([&chosen, flags] { chosen = [flags] { return import_foreign(*flags); }; });
}

void add_export_command(CLI::App& app, Command& chosen) {
  auto* command = app.add_subcommand("export", "part of a profile in the form of another project");
  auto flags = std::make_shared<ExportFlags>();
  command->add_option("FILE", flags->profile, "profile, HDF5")->required();
  add_format_flags(*command, flags->format, flags->kind);
  command->add_option("--output", flags->output, "file or, for several, folder; default: stdout");
  command->add_flag("--force", flags->is_force, "replace an existing output");
  command->callback([&chosen, flags] { chosen = [flags] { return export_foreign(*flags); }; });
}

}  // namespace kvcal
