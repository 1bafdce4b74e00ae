// SPDX-License-Identifier: Apache-2.0
#include "tokenizer/json_part.hpp"

#include <fstream>
#include <iterator>

namespace kvcal {
namespace {

std::string shown(const nlohmann::json& value) {
  const std::string text = value.dump(-1, ' ', true, nlohmann::json::error_handler_t::replace);
  return text.size() <= 60 ? text : text.substr(0, 57) + "...";
}

void check_type(const JsonPart& part, bool is_right, std::string_view need) {
  if (!is_right) {
    fail(Kind::input, "{} = {}, need {}", part.where(), shown(part.value()), need);
  }
}

}  // namespace

bool JsonPart::has(std::string_view key) const {
  if (!value_->is_object()) return false;
  const auto found = value_->find(key);
  return found != value_->end() && !found->is_null();
}

JsonPart JsonPart::at(std::string_view key) const {
  check_type(*this, value_->is_object(), "an object");
  const auto found = value_->find(key);
  require(found != value_->end(), Kind::input, "{}: the key '{}' is missing", where(), key);
  return {*found, file_, place_.empty() ? std::string(key) : fmt::format("{}.{}", place_, key)};
}

JsonPart JsonPart::object(std::string_view key) const {
  const JsonPart part = at(key);
  check_type(part, part.value().is_object(), "an object");
  return part;
}

JsonPart JsonPart::array(std::string_view key) const {
  const JsonPart part = at(key);
  check_type(part, part.value().is_array(), "an array");
  return part;
}

std::vector<JsonPart> JsonPart::items(std::string_view key) const {
  const JsonPart list = array(key);
  std::vector<JsonPart> items;
  for (const auto& item : list.value()) {
    items.emplace_back(item, file_, fmt::format("{}[{}]", list.place_, items.size()));
    check_type(items.back(), item.is_object(), "an object");
  }
  return items;
}

std::string JsonPart::text(std::string_view key) const {
  const JsonPart part = at(key);
  check_type(part, part.value().is_string(), "text");
  return part.value().get<std::string>();
}

bool JsonPart::flag(std::string_view key) const {
  const JsonPart part = at(key);
  check_type(part, part.value().is_boolean(), "true or false");
  return part.value().get<bool>();
}

bool JsonPart::flag(std::string_view key, bool if_missing) const {
  return has(key) ? flag(key) : if_missing;
}

int64_t JsonPart::integer(std::string_view key, int64_t low, int64_t high) const {
  const JsonPart part = at(key);
  const bool is_integer = part.value().is_number_integer();
  const bool is_right =
      is_integer && part.value().get<int64_t>() >= low && part.value().get<int64_t>() <= high;
  check_type(part, is_right, fmt::format("a whole number, {} .. {}", low, high));
  return part.value().get<int64_t>();
}

void JsonPart::unsupported(std::string_view what, const std::string& got,
                           std::string_view supported) const {
  fail(Kind::input, "{}: {} '{}' is not supported (supported: {})", where(), what, got, supported);
}

nlohmann::json read_json(const std::filesystem::path& file) {
  std::ifstream stream(file, std::ios::binary);
  require(std::filesystem::is_regular_file(file) && stream.good(), Kind::input,
          "{} cannot be read, need a tokenizer.json or a model directory that holds one",
          file.string());
  const std::string text{std::istreambuf_iterator<char>(stream), {}};
  try {
    return nlohmann::json::parse(text);
  } catch (const nlohmann::json::exception& error) {
    fail(Kind::input, "{}: not JSON: {}", file.string(), error.what());
  }
}

}  // namespace kvcal
