// SPDX-License-Identifier: Apache-2.0
#include "support/files.hpp"

#include <fstream>
#include <iterator>

#include "support/paths.hpp"

namespace kvcal::test {

std::filesystem::path written(const std::string& name, const std::string& text) {
  const std::filesystem::path file = scratch_dir() / name;
  std::ofstream(file, std::ios::binary) << text;
  return file;
}

std::string bytes_of(const std::filesystem::path& file) {
  std::ifstream stream(file, std::ios::binary);
  return {std::istreambuf_iterator<char>(stream), {}};
}

}  // namespace kvcal::test
