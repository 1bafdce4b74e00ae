// SPDX-License-Identifier: Apache-2.0
#include "support/paths.hpp"

#include <fmt/format.h>
#include <unistd.h>

#include <atomic>
#include <cstdlib>

#include "kvcal/profile/resources.hpp"

namespace kvcal::test {
namespace fs = std::filesystem;
namespace {

fs::path if_there(const fs::path& path) {
  return fs::exists(path) ? path : fs::path();
}

/// Removes what the tests of this process left.
struct ScratchRoot {
  fs::path path = fs::temp_directory_path() / fmt::format("kvcal-test-{}", getpid());
  ~ScratchRoot() {
    std::error_code ignored;
    fs::remove_all(path, ignored);
  }
};

}  // namespace

fs::path source_dir() {
  return resource("tests").parent_path();
}

fs::path test_file(std::string_view relative) {
  return resource("tests") / relative;
}

fs::path smollm2() {
  if (const char* given = std::getenv("KVCAL_TEST_MODEL")) return if_there(given);
  return if_there(source_dir() / "models" / "SmolLM2-135M-Instruct");
}

fs::path external_data(std::string_view relative) {
  if (const char* given = std::getenv("KVCAL_EXTERNAL_DATA"))
    return if_there(fs::path(given) / relative);
  return if_there(source_dir().parent_path() / "shared" / "data" / relative);
}

fs::path scratch_dir() {
  static const ScratchRoot root;
  static std::atomic<int> next = 0;
  const fs::path directory = root.path / fmt::format("{}", next++);
  fs::create_directories(directory);
  return directory;
}

}  // namespace kvcal::test
