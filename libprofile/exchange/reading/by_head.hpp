// SPDX-License-Identifier: Apache-2.0
// What the formats of exchange/ share: numbers of foreign JSON, and objects with a key for every
// head. Every complaint says the value, what is needed and the place. Not a format.
#pragma once

#include <nlohmann/json.hpp>
#include <span>
#include <string>
#include <vector>

#include "kvcal/compress/error.hpp"
#include "kvcal/profile/profile.hpp"

namespace kvcal {

/// Beyond any score; its f32 and the sum of all samples are finite.
inline constexpr double kMostScore = 1e30;

/// @throws Error{input} not a number in 0 .. most
double number_of(const nlohmann::json& value, double most, const std::string& where);

/// @throws Error{input} no list, or not of `size` elements
/// @param what  the elements, e.g. "heads"
void require_list(const nlohmann::json& value, int64_t size, std::string_view what,
                  const std::string& where);

/// The values of an object with just these keys, in the order of the names.
/// @throws Error{input} no object, a key that is missing, a key that is not among the names
std::vector<const nlohmann::json*> values_of(const nlohmann::json& object,
                                             const std::vector<std::string>& names,
                                             const std::string& where);

/// Name of each (row, column), row-major.
std::vector<std::string> names_of(int64_t rows, int64_t columns,
                                  std::string (*name)(int64_t row, int64_t column));

/// Scores of a kind.
/// @throws Error{config} the profile lacks it; names what it has
const HeadScores& heads_of(const Profile& profile, const std::string& kind);

/// @throws Error{config} there is none
template <class Part>
const Part& part_of(const std::optional<Part>& part, const char* what) {
  require(part.has_value(), Kind::config, "the profile has no {} to export", what);
  return *part;
}

}  // namespace kvcal
