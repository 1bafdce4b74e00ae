// SPDX-License-Identifier: Apache-2.0
// What every artefact carries about how it was made.
#pragma once

#include <cstdint>
#include <filesystem>
#include <string>
#include <string_view>

namespace kvcal {

struct Provenance {
  std::string tool;             ///< e.g. "kv-eval 0.1.0 (abc1234)"
  std::string command_line;
  std::string resolved_config;  ///< YAML of everything that decides the result
  std::string device, dtype;
  int64_t seed = 0;
  std::string created_utc;      ///< ISO 8601; empty with --no-provenance

  template <class Visitor>
  void visit(Visitor& v) {
    v("tool", tool), v("command_line", command_line), v("resolved_config", resolved_config);
    v("device", device), v("dtype", dtype), v("seed", seed), v("created_utc", created_utc);
  }
};

std::string_view tool_version();  ///< "0.1.0"
std::string_view tool_commit();   ///< short hash, "-dirty" behind it if so, or "unknown"

std::string sha256(std::string_view bytes);                     ///< lower-case hex
std::string sha256_of_file(const std::filesystem::path& file);  ///< @throws Error{input}

}  // namespace kvcal
