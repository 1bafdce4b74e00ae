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
/// `include: other.yaml` (relative) resolved: the including file's values win, inside maps key by
/// key. `include` itself is no key of the result. A key without a value and a key given twice are
/// errors.
class YamlMap {
 public:
  /// @throws Error{config} missing file, not YAML, or not of this shape, with file:line
  static YamlMap load(const std::filesystem::path& file);
  /// The same of a text; an include is relative to the working directory.
  /// @param origin  names it in messages
  static YamlMap parse(const std::string& text, const std::string& origin);

  /// @throws Error{config} a key that is not listed, with its place and the nearest known one
  void require_only(const std::vector<std::string>& keys) const;
  /// The scalar as written (`1.0` stays "1.0"; block scalars keep their newlines).
  /// @throws Error{config} missing or not a scalar
  std::string text(const std::string& key) const;
  std::optional<std::string> optional_text(const std::string& key) const;
  ParamMap params(const std::string& key) const;  ///< empty when the key is missing
  std::string where(
      const std::string& key) const;  ///< "file:line"; the file when the key is missing

 private:
  YamlMap(std::string file, std::map<std::string, ParamEntry> scalars,
          std::map<std::string, ParamMap> maps, std::map<std::string, std::string> places);

  std::string file_;
  std::map<std::string, ParamEntry> scalars_;  // text as written, or a list of numbers
  std::map<std::string, ParamMap> maps_;
  std::map<std::string, std::string> places_;  // of the maps
};

}  // namespace kvcal
