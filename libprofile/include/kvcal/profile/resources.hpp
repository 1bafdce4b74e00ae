// SPDX-License-Identifier: Apache-2.0
// Where configs/ and data/ lie: $KVCAL_HOME, else beside the installed program, else the source
// tree.
#pragma once

#include <filesystem>
#include <string_view>

namespace kvcal {

/// @param relative  e.g. "configs/methods"
/// @throws Error{config} not found, listing the places tried
std::filesystem::path resource(std::string_view relative);

}  // namespace kvcal
