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

json parse_object(std::string_view text, const std::string& where, std::string_view unit,
                  std::string_view need) {
  json object;
  try {
    object = json::parse(text);
  } catch (const json::parse_error& error) {
    fail(Kind::input, "{}: not valid JSON at {} {}, need {}", where, unit, error.byte, need);
  } catch (const json::exception& error) {  // A number that no double can hold.
    fail(Kind::input, "{}: not valid JSON ({}), need {}", where, error.what(), need);
  }
  require(object.is_object(), Kind::input, "{}: a JSON {}, need an object", where,
          object.type_name());
  return object;
}

/// A copy of `object` as if it were a line of its own.
JsonLine as_line(const json& object, std::string where) {
  require(object.is_object(), Kind::input, "{}: a JSON {}, need an object", where,
          object.type_name());
  return {object, std::move(where)};
}

std::string read_text(const std::filesystem::path& file, std::string_view kind) {
  require(!std::filesystem::is_directory(file), Kind::input, "{}: a directory, need a {} file",
          file.string(), kind);
  std::ifstream stream(file, std::ios::binary);
  require(stream.good(), Kind::input, "{}: cannot be read, need a {} file", file.string(), kind);
  std::ostringstream text;
  text << stream.rdbuf();
  return text.str();
}

}  // namespace

std::string JsonLine::text(const std::string& field) const {
  const json* value = find_field(object, field);
  require(value != nullptr, Kind::input, "{}: field '{}' is missing, need a string", where, field);
  return text_of(*value, field, where);
}

std::string JsonLine::filled_text(const std::string& field) const {
  constexpr std::string_view kWhitespace = " \t\r\n";
  const std::string whole = text(field);
  const size_t begin = whole.find_first_not_of(kWhitespace);
  require(begin != std::string::npos, Kind::input, "{}: field '{}' is blank, need text", where,
          field);
  return whole.substr(begin, whole.find_last_not_of(kWhitespace) + 1 - begin);
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

int64_t JsonLine::whole_number(const std::string& field, int64_t low, int64_t high) const {
  const json* value = find_field(object, field);
  require(value != nullptr, Kind::input, "{}: field '{}' is missing, need a whole number, {} .. {}",
          where, field, low, high);
  const bool is_valid = value->is_number_integer() && *value >= low && *value <= high;
  require(is_valid, Kind::input, "{}: field '{}' is {}, need a whole number, {} .. {}", where,
          field, value->dump(-1, ' ', true, json::error_handler_t::replace), low, high);
  return value->get<int64_t>();
}

JsonLine JsonLine::nested(const std::string& field) const {
  const json* value = find_field(object, field);
  require(value != nullptr, Kind::input, "{}: field '{}' is missing, need an object", where, field);
  return as_line(*value, fmt::format("{}: {}", where, field));
}

std::vector<JsonLine> JsonLine::objects(const std::string& field) const {
  const json* list = find_field(object, field);
  require(list != nullptr && list->is_array() && !list->empty(), Kind::input,
          "{}: field '{}' is missing, empty or no list, need a list of objects", where, field);
  std::vector<JsonLine> objects;
  for (const json& value : *list) {
    objects.push_back(as_line(value, fmt::format("{}: {}[{}]", where, field, objects.size())));
  }
  return objects;
}

std::vector<JsonLine> parse_json_lines(std::string_view text, const std::string& name) {
  std::vector<JsonLine> lines;
  for (int64_t number = 1; !text.empty(); ++number) {
    const size_t end = std::min(text.find('\n'), text.size());
    const std::string_view line = text.substr(0, end);
    text.remove_prefix(std::min(end + 1, text.size()));
    if (line.find_first_not_of(" \t\r") == std::string_view::npos) continue;
    const std::string where = fmt::format("{}:{}", name, number);
    lines.push_back({parse_object(line, where, "column", "one object a line"), where});
  }
  require(!lines.empty(), Kind::input, "{}: empty, need at least one JSON object, one a line",
          name);
  return lines;
}

std::vector<JsonLine> read_json_lines(const std::filesystem::path& file) {
  return parse_json_lines(read_text(file, "JSONL"), file.string());
}

JsonLine read_json_object(const std::filesystem::path& file) {
  const std::string where = file.string();
  return {parse_object(read_text(file, "JSON"), where, "byte", "one object"), where};
}

}  // namespace kvcal
