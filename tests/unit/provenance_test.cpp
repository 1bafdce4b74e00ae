// SPDX-License-Identifier: Apache-2.0
#include "kvcal/profile/provenance.hpp"

#include <gtest/gtest.h>

#include <fstream>
#include <regex>

#include "kvcal/compress/error.hpp"
#include "support/paths.hpp"

namespace kvcal {
namespace {

TEST(Provenance, Sha256OfAbcIsTheOneOfTheStandard) {
  EXPECT_EQ(sha256("abc"), "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad");
  EXPECT_EQ(sha256(""), "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855");
}

TEST(Provenance, FilesAreHashedAsOneTextInOrder) {
  const auto folder = test::scratch_dir();
  std::ofstream(folder / "1") << "a";
  std::ofstream(folder / "2") << "bc";
  const std::vector<std::filesystem::path> files = {folder / "1", folder / "2"};
  EXPECT_EQ(sha256_of_files(files), sha256("abc"));
  EXPECT_EQ(sha256_of_file(folder / "2"), sha256("bc"));
}

TEST(Provenance, AMissingFileIsNamed) {
  const auto file = test::scratch_dir() / "absent";
  try {
    sha256_of_file(file);
    FAIL();
  } catch (const Error& error) {
    EXPECT_EQ(error.kind(), Kind::input);
    EXPECT_EQ(std::string(error.what()),
              file.string() + ": cannot be read: No such file or directory");
  }
}

TEST(Provenance, VersionAndCommitAreCompiledIn) {
  EXPECT_TRUE(std::regex_match(std::string(tool_version()), std::regex(R"(\d+\.\d+\.\d+)")));
  EXPECT_TRUE(
      std::regex_match(std::string(tool_commit()), std::regex("unknown|[0-9a-f]{7,40}(-dirty)?")))
      << tool_commit();
}

}  // namespace
}  // namespace kvcal
