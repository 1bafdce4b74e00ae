// SPDX-License-Identifier: Apache-2.0
#include "dataset/json_lines.hpp"

#include <fstream>
#include <sstream>

#include "kvcal/compress/error.hpp"

namespace kvcal {
namespace {

using nlohmann::json;

const json* find_field(const json& object, const std::string& field) {
  const auto found = object.find(field);
  return found == object.end() || found->is_null() ? nullptr : &*found;
}

std::string text_of(const json& value, const std::string& field, const std::string& where) {
  require(value.is_string(), Kind::input, "{}: field '{}' is a {}, need a string", where, field,
          value.type_name());
  return value.get<std::string>();
}

json parse_object(std::string_view line, const std::string& where) {
  json object;
  try {
    object = json::parse(line);
  } catch (const json::parse_error& error) {
    fail(Kind::input, "{}: not valid JSON at column {}, need one object a line", where, error.byte);
  } catch (const json::exception& error) {  // A number that no double can hold.
    fail(Kind::input, "{}: not valid JSON ({}), need one object a line", where, error.what());
  }
  require(object.is_object(), Kind::input, "{}: a JSON {}, need an object", where,
          object.type_name());
  return object;
}

}  // namespace

std::string JsonLine::text(const std::string& field) const {
  const json* value = find_field(object, field);
  require(value != nullptr, Kind::input, "{}: field '{}' is missing, need a string", where, field);
  return text_of(*value, field, where);
}

std::optional<std::string> JsonLine::optional_text(const std::string& field) const {
  const json* value = find_field(object, field);
  if (value == nullptr) return std::nullopt;
  return text_of(*value, field, where);
}

std::vector<std::string> JsonLine::texts(const std::string& field) const {
  const json* list = find_field(object, field);
  if (list == nullptr) return {};
  require(list->is_array(), Kind::input, "{}: field '{}' is a {}, need a list of strings", where,
          field, list->type_name());
  std::vector<std::string> texts;
  for (const json& value : *list) {
    texts.push_back(text_of(value, fmt::format("{}[{}]", field, texts.size()), where));
  }
  return texts;
}

JsonLine nested(const json& object, std::string where) {
  require(object.is_object(), Kind::input, "{}: a JSON {}, need an object", where,
          object.type_name());
  return {object, std::move(where)};
}

std::vector<JsonLine> parse_json_lines(std::string_view text, const std::string& name) {
  std::vector<JsonLine> lines;
  for (int64_t number = 1; !text.empty(); ++number) {
    const size_t end = std::min(text.find('\n'), text.size());
    const std::string_view line = text.substr(0, end);
    text.remove_prefix(std::min(end + 1, text.size()));
    if (line.find_first_not_of(" \t\r") == std::string_view::npos) continue;
    const std::string where = fmt::format("{}:{}", name, number);
    lines.push_back({parse_object(line, where), where});
  }
  require(!lines.empty(), Kind::input, "{}: empty, need at least one JSON object, one a line",
          name);
  return lines;
}

std::vector<JsonLine> read_json_lines(const std::filesystem::path& file) {
  require(!std::filesystem::is_directory(file), Kind::input, "{}: a directory, need a JSONL file",
          file.string());
  std::ifstream stream(file, std::ios::binary);
  require(stream.good(), Kind::input, "{}: cannot be read, need a JSONL file", file.string());
  std::ostringstream text;
  text << stream.rdbuf();
  return parse_json_lines(text.str(), file.string());
}

}  // namespace kvcal
