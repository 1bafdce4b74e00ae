// SPDX-License-Identifier: Apache-2.0
#include <filesystem>

#include "kv_inspect/commands.hpp"
#include "kvcal/compress/error.hpp"
#include "shared/flags.hpp"

namespace kvcal {

void add_stored_flags(CLI::App& command, StoredFlags& flags, const std::string& help) {
  command.add_option("--output", flags.output, help);
  command.add_flag("--force", flags.is_force, "replace an existing output");
  command.add_flag("!--no-provenance", flags.has_provenance,
                   "leave out time and command line, for golden files");
}

void require_writable(const StoredFlags& flags) {
  require(flags.is_force || !std::filesystem::exists(flags.output), Kind::config,
          "{} exists: --force replaces it", flags.output);
}

void begin_stage(Profile& profile, const StoredFlags& flags, const std::string& resolved_config) {
  SharedFlags shared;
  shared.device.clear();  // no model ran
  shared.has_provenance = flags.has_provenance;
  profile.begin_stage(make_provenance("kv-inspect", shared, resolved_config, ""));
}

}  // namespace kvcal
