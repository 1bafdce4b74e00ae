// SPDX-License-Identifier: Apache-2.0
#include "dataset/benchmark_folder.hpp"

#include <cstdlib>

#include "kvcal/compress/error.hpp"
#include "kvcal/profile/resources.hpp"

namespace kvcal {

namespace fs = std::filesystem;

fs::path benchmark_folder(std::string_view name, const std::string& given) {
  const char* all = std::getenv("KVCAL_BENCHMARKS");
  if (given.empty() && all != nullptr && *all != '\0') return fs::path(all) / name;
  const fs::path folder = given.empty() ? fs::path("data") / name : fs::path(given);
  if (folder.is_absolute() || fs::exists(folder)) return folder;
  return resource("configs").parent_path() / folder;
}

DataPlace locate_benchmark(const fs::path& folder, std::initializer_list<fs::path> needed) {
  for (const auto& file : needed) {
    if (!fs::exists(folder / file)) return {false, fmt::format("no {}", (folder / file).string())};
  }
  return {true, folder.string()};
}

void require_benchmark(const DataPlace& place, std::string_view name) {
  require(place.is_found, Kind::input,
          "{}: {}; name its folder by --task-param root=DIR or put it at $KVCAL_BENCHMARKS/{} "
          "(data/README.md says where it is published)",
          name, place.text, name);
}

}  // namespace kvcal
