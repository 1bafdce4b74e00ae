// SPDX-License-Identifier: Apache-2.0
// JSONL datasets: one object a line, every complaint with file, line and field.
// Not for the JSON of models and results.
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
  std::string where;  ///< "file:line"

  /// @throws Error{input} the field is missing or is not a string
  std::string text(const std::string& field) const;
  /// Missing or null is nothing; another type is an error.
  std::optional<std::string> optional_text(const std::string& field) const;
  /// A list of strings; missing or null is empty.
  std::vector<std::string> texts(const std::string& field) const;
};

/// A copy of `object` as if it were a line of its own, for nested objects.
JsonLine nested(const nlohmann::json& object, std::string where);

/// Blank lines are skipped.
/// @throws Error{input} unreadable file, damaged line, a line that is no object, no line at all
std::vector<JsonLine> read_json_lines(const std::filesystem::path& file);

/// The same for text that is already in memory; `name` stands for the file in messages.
std::vector<JsonLine> parse_json_lines(std::string_view text, const std::string& name);

}  // namespace kvcal
