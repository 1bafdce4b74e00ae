// SPDX-License-Identifier: Apache-2.0
// One JSON object of a model's config.json with its place, for errors that name key, value and
// need.
#pragma once

#include <cstdint>
#include <nlohmann/json.hpp>
#include <optional>
#include <string>

namespace kvcal {

/// null counts as absent. What returns a value throws Error{input}.
class ConfigSection {
 public:
  ConfigSection(const nlohmann::json& object, std::string where)
      : object_(object), where_(std::move(where)) {}

  const std::string& where() const { return where_; }
  bool has(const char* key) const;
  bool names(const char* key) const { return object_.contains(key); }  ///< be it null
  const nlohmann::json& at(const char* key) const;

  int64_t count(const char* key) const;  ///< >= 1
  int64_t count_or(const char* key, int64_t otherwise) const;
  double positive(const char* key) const;
  double positive_or(const char* key, double otherwise) const;
  bool flag(const char* key) const;  ///< false when absent
  std::string text_or(const char* key, const std::string& otherwise) const;
  std::optional<ConfigSection> section(const char* key) const;

 private:
  const nlohmann::json& object_;
  std::string where_;
};

}  // namespace kvcal
