// SPDX-License-Identifier: Apache-2.0
// Strict YAML reading: unknown key, missing file, wrong type are errors with file and line.
#pragma once

#include <filesystem>
#include <map>
#include <optional>
#include <string>
#include <vector>

#include "kvcal/compress/params.hpp"

namespace kvcal {

/// A YAML file that is one map of scalars, lists of numbers, and maps of those (`params:`), with
/// `include: other.yaml` (relative) resolved: the including file's values win.
class YamlMap {
 public:
  static YamlMap load(const std::filesystem::path& file);

  /// @throws Error{config} a key that is not listed, with its place and the nearest known one
  void require_only(const std::vector<std::string>& keys) const;
  std::string text(const std::string& key) const;  ///< @throws Error{config} missing or not a scalar
  std::optional<std::string> optional_text(const std::string& key) const;
  ParamMap params(const std::string& key) const;  ///< empty when the key is missing
  std::string where(const std::string& key) const;  ///< "file:line"

 private:
  std::string file_;
  std::map<std::string, ParamEntry> scalars_;
  std::map<std::string, ParamMap> maps_;
};

}  // namespace kvcal
