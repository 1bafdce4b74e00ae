// SPDX-License-Identifier: Apache-2.0
#include "kvcal/compress/params.hpp"

#include <fmt/ranges.h>

#include <algorithm>

namespace kvcal {
namespace {

template <class... Cases>
struct Overloaded : Cases... {
  using Cases::operator()...;
};
template <class... Cases>
Overloaded(Cases...) -> Overloaded<Cases...>;  // clang 14 wants it spelt out

void check_number(std::string_view name, const ParamEntry& entry, const Range& range,
                  double value) {
  // Written so that NaN fails too.
  require(value >= range.low && value <= range.high, Kind::config, "{}: {} = {}, need {}",
          entry.where, name, to_string(entry.value), range.text());
}

double number(std::string_view name, const ParamEntry& entry) {
  if (const auto* integer = std::get_if<int64_t>(&entry.value))
    return static_cast<double>(*integer);
  const auto* real = std::get_if<double>(&entry.value);
  require(real != nullptr, Kind::config, "{}: {} = {}, need a number", entry.where, name,
          to_string(entry.value));
  return *real;
}

}  // namespace

std::string to_string(const ParamValue& value) {
  return std::visit(
      Overloaded{
          [](bool v) { return std::string(v ? "true" : "false"); },
          [](int64_t v) { return fmt::format("{}", v); },
          [](double v) { return fmt::format("{}", v); }, [](const std::string& v) { return v; },
          [](const std::vector<double>& v) { return fmt::format("[{}]", fmt::join(v, ", ")); }},
      value);
}

std::string Range::text() const {
  if (!choices.empty()) return fmt::format("one of {}", fmt::join(choices, ", "));
  const double infinity = std::numeric_limits<double>::infinity();
  if (low == -infinity && high == infinity) return "any value";
  if (high == infinity) return fmt::format(">= {}", low);
  if (low == -infinity) return fmt::format("<= {}", high);
  return fmt::format("{} .. {}", low, high);
}

Range at_least(double low) {
  Range range;
  range.low = low;
  return range;
}

Range between(double low, double high) {
  Range range;
  range.low = low;
  range.high = high;
  return range;
}

Range one_of(std::initializer_list<std::string> choices) {
  Range range;
  range.choices = choices;
  return range;
}

void FieldReader::assign(std::string_view name, const ParamEntry& entry, const Range&, bool& out) {
  const auto* value = std::get_if<bool>(&entry.value);
  require(value != nullptr, Kind::config, "{}: {} = {}, need true or false", entry.where, name,
          to_string(entry.value));
  out = *value;
}

void FieldReader::assign(std::string_view name, const ParamEntry& entry, const Range& range,
                         int64_t& out) {
  const auto* value = std::get_if<int64_t>(&entry.value);
  require(value != nullptr, Kind::config, "{}: {} = {}, need a whole number", entry.where, name,
          to_string(entry.value));
  check_number(name, entry, range, static_cast<double>(*value));
  out = *value;
}

void FieldReader::assign(std::string_view name, const ParamEntry& entry, const Range& range,
                         double& out) {
  const double value = number(name, entry);
  check_number(name, entry, range, value);
  out = value;
}

void FieldReader::assign(std::string_view name, const ParamEntry& entry, const Range& range,
                         std::string& out) {
  // A YAML scalar such as `12` is text where text is wanted.
  const auto* text = std::get_if<std::string>(&entry.value);
  const std::string value = text != nullptr ? *text : to_string(entry.value);
  const bool is_allowed =
      range.choices.empty() ||
      std::find(range.choices.begin(), range.choices.end(), value) != range.choices.end();
  require(is_allowed, Kind::config, "{}: {} = {}, need {}{}", entry.where, name, value,
          range.text(), nearest_hint(value, range.choices));
  out = value;
}

void FieldReader::assign(std::string_view name, const ParamEntry& entry, const Range& range,
                         std::vector<double>& out) {
  std::vector<double> values;
  if (const auto* list = std::get_if<std::vector<double>>(&entry.value)) {
    values = *list;
  } else {
    values = {number(name, entry)};
  }
  require(!values.empty(), Kind::config, "{}: {} is empty, need at least one number", entry.where,
          name);
  for (double value : values) check_number(name, entry, range, value);
  out = values;
}

void require_known_keys(const ParamMap& map, const std::vector<FieldInfo>& known,
                        std::string_view owner) {
  std::vector<std::string> names;
  for (const auto& field : known) names.push_back(field.name);
  std::sort(names.begin(), names.end());
  names.erase(std::unique(names.begin(), names.end()), names.end());
  for (const auto& [key, entry] : map) {
    require(std::find(names.begin(), names.end(), key) != names.end(), Kind::config,
            "{}: {} has no parameter '{}'{} (known: {})", entry.where, owner, key,
            nearest_hint(key, names),
            names.empty() ? "none" : fmt::format("{}", fmt::join(names, ", ")));
  }
}

}  // namespace kvcal
