// SPDX-License-Identifier: Apache-2.0
// Small files, written and read whole.
#pragma once

#include <filesystem>
#include <string>

namespace kvcal::test {

/// A file of that name in a fresh folder.
std::filesystem::path written(const std::string& name, const std::string& text);

std::string bytes_of(const std::filesystem::path& file);

}  // namespace kvcal::test
