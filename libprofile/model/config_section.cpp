// SPDX-License-Identifier: Apache-2.0
#include "model/config_section.hpp"

#include "kvcal/compress/error.hpp"

namespace kvcal {
using nlohmann::json;
namespace {

constexpr int64_t kMaxCount = int64_t{1} << 31;  // keeps products of two within 64 bits

}  // namespace

bool ConfigSection::has(const char* key) const {
  const auto found = object_.find(key);
  return found != object_.end() && !found->is_null();
}

const json& ConfigSection::at(const char* key) const {
  require(has(key), Kind::input, "{}: {} is missing", where_, key);
  return object_.at(key);
}

int64_t ConfigSection::count(const char* key) const {
  const json& value = at(key);
  require(value.is_number_integer() && value >= 1 && value <= kMaxCount, Kind::input,
          "{}: {} = {}, need a whole number 1 .. {}", where_, key, value.dump(), kMaxCount);
  return value.get<int64_t>();
}

int64_t ConfigSection::count_or(const char* key, int64_t otherwise) const {
  return has(key) ? count(key) : otherwise;
}

double ConfigSection::positive(const char* key) const {
  const json& value = at(key);
  require(value.is_number() && value > 0, Kind::input, "{}: {} = {}, need a number > 0", where_,
          key, value.dump());
  return value.get<double>();
}

double ConfigSection::positive_or(const char* key, double otherwise) const {
  return has(key) ? positive(key) : otherwise;
}

bool ConfigSection::flag(const char* key) const {
  if (!has(key)) return false;
  const json& value = at(key);
  require(value.is_boolean(), Kind::input, "{}: {} = {}, need true or false", where_, key,
          value.dump());
  return value.get<bool>();
}

std::string ConfigSection::text_or(const char* key, const std::string& otherwise) const {
  if (!has(key)) return otherwise;
  const json& value = at(key);
  require(value.is_string(), Kind::input, "{}: {} = {}, need a text", where_, key, value.dump());
  return value.get<std::string>();
}

std::optional<ConfigSection> ConfigSection::section(const char* key) const {
  if (!has(key)) return std::nullopt;
  require(at(key).is_object(), Kind::input, "{}: {} = {}, need an object", where_, key,
          at(key).dump());
  return ConfigSection(at(key), where_ + ": " + key);
}

}  // namespace kvcal
