// SPDX-License-Identifier: Apache-2.0
#include "kvcal/profile/provenance.hpp"

#include "store/sha256.hpp"

namespace kvcal {

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
