// SPDX-License-Identifier: Apache-2.0
#include "kvcal/profile/budget.hpp"

#include <charconv>
#include <cmath>
#include <optional>

#include "kvcal/compress/error.hpp"

namespace kvcal {
namespace {

struct Suffix {
  std::string_view text;
  double factor;
};
constexpr Suffix kByteSuffixes[] = {{"KiB", 1024.0},
                                    {"MiB", 1024.0 * 1024},
                                    {"GiB", 1024.0 * 1024 * 1024},
                                    {"kB", 1e3},
                                    {"MB", 1e6},
                                    {"GB", 1e9},
                                    {"B", 1}};

double parse_positive(std::string_view digits, std::string_view whole) {
  double value = 0;
  const auto [end, error] = std::from_chars(digits.data(), digits.data() + digits.size(), value);
  const bool is_number = error == std::errc() && end == digits.data() + digits.size();
  require(is_number && std::isfinite(value) && value > 0, Kind::config,
          "budget '{}' is not positive tokens (128), a share (3%) or bytes (8MiB)", whole);
  return value;
}

/// Bytes, or nothing where the text has no unit of bytes.
std::optional<double> bytes_in(std::string_view text) {
  for (const auto& suffix : kByteSuffixes) {
    if (!text.ends_with(suffix.text)) continue;
    return parse_positive(text.substr(0, text.size() - suffix.text.size()), text) * suffix.factor;
  }
  return std::nullopt;
}

}  // namespace

int64_t parse_bytes(std::string_view text) {
  const auto bytes = bytes_in(text);
  require(bytes.has_value(), Kind::config, "'{}' is not a size in bytes, e.g. 512MiB or 2GB", text);
  return static_cast<int64_t>(*bytes);
}

Budget Budget::parse(std::string_view text) {
  Budget budget;
  budget.text_ = std::string(text);
  if (text.ends_with('%')) {
    budget.unit_ = Unit::percent;
    budget.value_ = parse_positive(text.substr(0, text.size() - 1), text);
    require(budget.value_ <= 100, Kind::config,
            "budget '{}' is more than the whole prompt, need <= 100%", text);
    return budget;
  }
  if (const auto bytes = bytes_in(text)) {
    budget.unit_ = Unit::bytes;
    budget.value_ = *bytes;
    return budget;
  }
  budget.value_ = parse_positive(text, text);
  require(budget.value_ == std::floor(budget.value_), Kind::config,
          "budget '{}' is not a whole number of tokens", text);
  return budget;
}

int64_t Budget::tokens(int64_t prompt_tokens, const ModelConfig& model, int64_t element_bytes,
                       int64_t bias_bytes) const {
  double exact = value_;
  if (unit_ == Unit::percent) exact = static_cast<double>(prompt_tokens) * value_ / 100.0;
  if (unit_ == Unit::bytes) {
    exact = value_ / static_cast<double>(model.layers * model.kv_heads *
                                         (model.entry_bytes(element_bytes) + bias_bytes));
  }
  // 1e-9: 7 % of 100 tokens is 7.000000000000001 or 6.999999999999999 in floating point.
  const auto whole = static_cast<int64_t>(std::floor(exact + 1e-9));
  require(whole >= 1, Kind::config,
          "budget {} is {:.3g} entries per layer and KV head for a prompt of {} tokens, need >= 1",
          text_, exact, prompt_tokens);
  return whole;
}

std::vector<Budget> parse_budgets(std::string_view list) {
  std::vector<Budget> budgets;
  for (size_t begin = 0; begin <= list.size();) {
    const size_t end = std::min(list.find(',', begin), list.size());
    budgets.push_back(Budget::parse(list.substr(begin, end - begin)));
    begin = end + 1;
  }
  return budgets;
}

}  // namespace kvcal
