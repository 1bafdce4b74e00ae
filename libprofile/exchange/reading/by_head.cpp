// SPDX-License-Identifier: Apache-2.0
#include "exchange/reading/by_head.hpp"

#include <fmt/ranges.h>

#include <set>

namespace kvcal {

double number_of(const nlohmann::json& value, double most, const std::string& where) {
  require(value.is_number(), Kind::input, "{} is a {}, need a number", where, value.type_name());
  const auto number = value.get<double>();
  // Written so that NaN fails too.
  require(number >= 0 && number <= most, Kind::input, "{} = {}, need 0 .. {}", where, number, most);
  return number;
}

void require_list(const nlohmann::json& value, int64_t size, std::string_view what,
                  const std::string& where) {
  require(value.is_array(), Kind::input, "{} is a {}, need a list of {} {}", where,
          value.type_name(), size, what);
  require(static_cast<int64_t>(value.size()) == size, Kind::input,
          "{} has {} {}, the profile's model has {}", where, value.size(), what, size);
}

std::vector<const nlohmann::json*> values_of(const nlohmann::json& object,
                                             const std::vector<std::string>& names,
                                             const std::string& where) {
  require(object.is_object(), Kind::input, "{}: a JSON {}, need an object with the keys {} .. {}",
          where, object.type_name(), names.front(), names.back());
  const std::set<std::string> known(names.begin(), names.end());
  for (const auto& [key, value] : object.items()) {
    require(known.contains(key), Kind::input,
            "{}: key '{}' is not of the profile's model, need {} .. {}", where, key, names.front(),
            names.back());
  }
  std::vector<const nlohmann::json*> values;
  for (const auto& name : names) {
    const auto found = object.find(name);
    require(found != object.end(), Kind::input, "{}: the key '{}' is missing, need {} .. {}", where,
            name, names.front(), names.back());
    values.push_back(&*found);
  }
  return values;
}

std::vector<std::string> names_of(int64_t rows, int64_t columns,
                                  std::string (*name)(int64_t row, int64_t column)) {
  std::vector<std::string> names;
  for (int64_t row = 0; row < rows; ++row) {
    for (int64_t column = 0; column < columns; ++column) names.push_back(name(row, column));
  }
  return names;
}

const HeadScores& heads_of(const Profile& profile, const std::string& kind) {
  const auto found = profile.heads.find(kind);
  if (found != profile.heads.end()) return found->second;
  std::vector<std::string> known;
  for (const auto& [name, scores] : profile.heads) known.push_back(name);
  fail(Kind::config, "the profile has no head scores of kind '{}'{} (has: {})", kind,
       nearest_hint(kind, known),
       known.empty() ? "none" : fmt::format("{}", fmt::join(known, ", ")));
}

}  // namespace kvcal
