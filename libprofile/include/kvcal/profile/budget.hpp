// SPDX-License-Identifier: Apache-2.0
// Budget: how much of a prompt's cache may stay, as a user writes it ("128", "3%", "8MiB").
#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "kvcal/profile/model.hpp"

namespace kvcal {

class Budget {
 public:
  /// @throws Error{config} not one of the three forms, or not positive
  static Budget parse(std::string_view text);

  const std::string& text() const { return text_; }

  /// Entries kept per layer and KV head on average; a share and bytes are rounded down.
  /// @throws Error{config} less than one entry
  int64_t tokens(int64_t prompt_tokens, const ModelConfig& model, int64_t element_bytes,
                 int64_t bias_bytes = 0) const;

 private:
  enum class Unit { tokens, percent, bytes };
  std::string text_;
  Unit unit_ = Unit::tokens;
  double value_ = 0;
};

/// "8MiB", "2GB", "512B" in bytes.
/// @throws Error{config} no number, not positive, or no unit
int64_t parse_bytes(std::string_view text);

/// "64,3%,8MiB"
std::vector<Budget> parse_budgets(std::string_view list);

}  // namespace kvcal
