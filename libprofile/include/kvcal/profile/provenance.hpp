// SPDX-License-Identifier: Apache-2.0
// What every artefact carries about how it was made.
#pragma once

#include <cstdint>
#include <filesystem>
#include <span>
#include <string>
#include <string_view>

namespace kvcal {

struct Provenance {
  std::string tool;  ///< e.g. "kv-eval 0.1.0 (abc1234)"
  std::string command_line;
  std::string resolved_config;  ///< YAML of everything that decides the result
  std::string device, dtype;
  int64_t seed = 0;
  std::string created_utc;  ///< ISO 8601; empty with --no-provenance

  bool operator==(const Provenance&) const = default;

  template <class Self, class Visitor>
  static void fields(Self& self, Visitor& v) {
    v("tool", self.tool), v("command_line", self.command_line);
    v("resolved_config", self.resolved_config);
    v("device", self.device), v("dtype", self.dtype), v("seed", self.seed);
    v("created_utc", self.created_utc);
  }
};

/// What kind of file of ours it is: "kvcal.profile", "kvcal.results".
/// @throws Error{input} not an HDF5 file, or without a format
std::string format_of(const std::filesystem::path& file);

std::string_view tool_version();  ///< "0.1.0"
std::string_view tool_commit();   ///< short hash, "-dirty" behind it if so, or "unknown"

std::string sha256(std::string_view bytes);  ///< lower-case hex
/// Of the bytes of all files in the order given.
/// @throws Error{input} a file cannot be read
std::string sha256_of_files(std::span<const std::filesystem::path> files);
std::string sha256_of_file(const std::filesystem::path& file);

}  // namespace kvcal
