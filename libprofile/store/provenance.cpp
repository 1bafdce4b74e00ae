// SPDX-License-Identifier: Apache-2.0
#include "kvcal/profile/provenance.hpp"

#include "kvcal/compress/error.hpp"
#include "store/hdf5.hpp"
#include "store/sha256.hpp"

namespace kvcal {

std::string format_of(const std::filesystem::path& file) {
  const Hdf5Reader reader(file);
  require(reader.has_attribute("/", "format"), Kind::input, "{}: no attribute 'format'",
          file.string());
  const auto format = reader.attribute<std::string>("/", "format");
  return format.substr(0, format.rfind('/'));
}

std::string_view tool_version() {
  return KVCAL_VERSION;
}
std::string_view tool_commit() {
  return KVCAL_COMMIT;
}

std::string sha256(std::string_view bytes) {
  Sha256 hash;
  hash.add(bytes.data(), bytes.size());
  return hash.hex();
}

std::string sha256_of_files(std::span<const std::filesystem::path> files) {
  Sha256 hash;
  for (const auto& file : files) hash.add_file(file);
  return hash.hex();
}

std::string sha256_of_file(const std::filesystem::path& file) {
  return sha256_of_files({&file, 1});
}

}  // namespace kvcal
