// SPDX-License-Identifier: Apache-2.0
// JsonPart: a value inside tokenizer.json that knows its place, so that every error can name it.
#pragma once

#include <cstdint>
#include <filesystem>
#include <nlohmann/json.hpp>
#include <string>
#include <string_view>
#include <vector>

#include "kvcal/compress/error.hpp"

namespace kvcal {

class JsonPart {
 public:
  JsonPart(const nlohmann::json& value, std::string file, std::string place)
      : value_(&value), file_(std::move(file)), place_(std::move(place)) {}

  const nlohmann::json& value() const { return *value_; }
  /// "tokenizer.json: pre_tokenizer.pretokenizers[0]"
  std::string where() const { return place_.empty() ? file_ : file_ + ": " + place_; }
  /// Absent and null are the same.
  bool has(std::string_view key) const;

  // Each throws Error{input} when the key is missing or of another type.
  JsonPart at(std::string_view key) const;
  JsonPart object(std::string_view key) const;
  JsonPart array(std::string_view key) const;
  std::vector<JsonPart> items(std::string_view key) const;
  std::string text(std::string_view key) const;
  bool flag(std::string_view key) const;
  bool flag(std::string_view key, bool if_missing) const;
  int64_t integer(std::string_view key, int64_t low, int64_t high) const;

  /// @throws Error{input} this part's `type` is not known
  [[noreturn]] void unsupported(std::string_view what, const std::string& got,
                                std::string_view supported) const;

 private:
  const nlohmann::json* value_;
  std::string file_, place_;
};

/// @throws Error{input} missing, or not JSON (with the place in the file)
nlohmann::json read_json(const std::filesystem::path& file);

}  // namespace kvcal
