// SPDX-License-Identifier: Apache-2.0
#include "support/structure.hpp"

#include <fmt/ranges.h>
#include <gtest/gtest.h>

#include <cstdlib>
#include <fstream>
#include <sstream>

#include "../../libprofile/store/hdf5.hpp"
#include "support/paths.hpp"

namespace kvcal::test {
namespace {

void append_structure(const Hdf5Reader& reader, const std::string& path, std::string& text) {
  for (const auto& name : reader.attribute_names(path)) {
    text += fmt::format("{} @{} {}\n", path, name, reader.attribute_dtype(path, name));
  }
  if (!reader.is_group(path)) {
    text +=
        fmt::format("{} {} [{}]\n", path, reader.dtype(path), fmt::join(reader.shape(path), ", "));
    return;
  }
  for (const auto& child : reader.children(path)) {
    append_structure(reader, (path == "/" ? "" : path) + "/" + child, text);
  }
}

}  // namespace

std::string structure_of(const std::filesystem::path& hdf5_file) {
  std::string text;
  append_structure(Hdf5Reader(hdf5_file), "/", text);
  return text;
}

void expect_golden(const std::string& text, std::string_view golden_file) {
  const auto path = test_file("golden") / golden_file;
  if (std::getenv("KVCAL_UPDATE_GOLDEN") != nullptr) std::ofstream(path) << text;
  std::ostringstream golden;
  golden << std::ifstream(path).rdbuf();
  EXPECT_EQ(text, golden.str()) << "differs from " << path.string()
                                << "; KVCAL_UPDATE_GOLDEN=1 rewrites it";
}

}  // namespace kvcal::test
