// SPDX-License-Identifier: Apache-2.0
// Where configs/ and data/ lie: $KVCAL_HOME, else beside the installed program, else the source
// tree.
#pragma once

#include <filesystem>
#include <string>
#include <string_view>
#include <vector>

namespace kvcal {

/// @param relative  e.g. "configs/methods"
/// @throws Error{config} not found, listing the places tried
std::filesystem::path resource(std::string_view relative);

/// Names of the YAML files of a folder, without the ending, in order.
/// @param relative  as for `resource`
std::vector<std::string> names_in(std::string_view relative);

/// A path as given if something is there, else a resource.
std::filesystem::path existing_or_resource(const std::string& path);

}  // namespace kvcal
