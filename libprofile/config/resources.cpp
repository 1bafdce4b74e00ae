// SPDX-License-Identifier: Apache-2.0
#include "kvcal/profile/resources.hpp"

#include <fmt/ranges.h>

#include <algorithm>
#include <cstdlib>
#include <vector>

#include "kvcal/compress/error.hpp"

namespace kvcal {

std::filesystem::path resource(std::string_view relative) {
  namespace fs = std::filesystem;
  std::vector<fs::path> roots;
  if (const char* home = std::getenv("KVCAL_HOME"); home != nullptr && *home != '\0') {
    roots.emplace_back(home);
  } else {
    std::error_code error;
    const fs::path program = fs::read_symlink("/proc/self/exe", error);
    if (!error) roots.push_back(program.parent_path().parent_path() / "share" / "kvcal");
    roots.emplace_back(KVCAL_SOURCE_DIR);
  }
  std::vector<std::string> tried;
  for (const auto& root : roots) {
    if (fs::exists(root / relative)) return root / relative;
    tried.push_back((root / relative).string());
  }
  fail(Kind::config,
       "{} not found (tried {}); set KVCAL_HOME to the folder that holds configs and data",
       relative, fmt::join(tried, ", "));
}

std::vector<std::string> names_in(std::string_view relative) {
  std::vector<std::string> names;
  for (const auto& entry : std::filesystem::directory_iterator(resource(relative))) {
    if (entry.path().extension() == ".yaml") names.push_back(entry.path().stem().string());
  }
  std::sort(names.begin(), names.end());
  return names;
}

std::filesystem::path existing_or_resource(const std::string& path) {
  return std::filesystem::exists(path) ? std::filesystem::path(path) : resource(path);
}

}  // namespace kvcal
