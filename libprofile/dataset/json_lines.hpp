// SPDX-License-Identifier: Apache-2.0
// JSONL datasets, one object a line, and datasets that are one JSON object: every complaint with
// file, line and field. Not for the JSON of models and results.
#pragma once

#include <filesystem>
#include <nlohmann/json.hpp>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace kvcal {

struct JsonLine {
  nlohmann::json object;
  std::string where;  ///< "file:line" and the way to a nested object

  /// @throws Error{input} the field is missing or is not a string
  std::string text(const std::string& field) const;
  /// The same without white space at both ends; blank is an error too.
  std::string filled_text(const std::string& field) const;
  /// Missing or null is nothing; another type is an error.
  std::optional<std::string> optional_text(const std::string& field) const;
  /// A list of strings; missing or null is empty.
  std::vector<std::string> texts(const std::string& field) const;
  /// @throws Error{input} the field is missing, no whole number, or outside low .. high
  int64_t whole_number(const std::string& field, int64_t low, int64_t high) const;
  /// The object that a field holds.
  /// @throws Error{input} the field is missing or no object
  JsonLine nested(const std::string& field) const;
  /// A list of objects.
  /// @throws Error{input} the field is missing, empty, or no list of objects
  std::vector<JsonLine> objects(const std::string& field) const;
};

/// Blank lines are skipped.
/// @throws Error{input} unreadable file, damaged line, a line that is no object, no line at all
std::vector<JsonLine> read_json_lines(const std::filesystem::path& file);

/// A whole file that is one object.
/// @throws Error{input} unreadable file, damaged JSON, no object
JsonLine read_json_object(const std::filesystem::path& file);

/// Lines of text that is already in memory; `name` stands for the file in messages.
std::vector<JsonLine> parse_json_lines(std::string_view text, const std::string& name);

}  // namespace kvcal
