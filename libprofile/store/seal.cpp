// SPDX-License-Identifier: Apache-2.0
#include "store/seal.hpp"

#include <fstream>
#include <string>

#include "kvcal/compress/error.hpp"
#include "store/sha256.hpp"

namespace kvcal {
namespace fs = std::filesystem;
namespace {

constexpr std::string_view kMark = "\nkvcal.seal sha256 ";
constexpr int64_t kSealBytes = static_cast<int64_t>(kMark.size()) + 64 + 1;

std::string hash_of_first(const fs::path& file, int64_t bytes) {
  Sha256 hash;
  hash.add_file(file, bytes);
  return hash.hex();
}

}  // namespace

bool seal(const fs::path& file) {
  const auto size_bytes = static_cast<int64_t>(fs::file_size(file));
  std::ofstream stream(file, std::ios::binary | std::ios::app);
  stream << kMark << hash_of_first(file, size_bytes) << '\n';
  stream.close();
  return stream.good();
}

void require_unbroken_seal(const fs::path& file) {
  const auto size_bytes = static_cast<int64_t>(fs::file_size(file));
  if (size_bytes < kSealBytes) return;
  std::string end(kSealBytes, '\0');
  std::ifstream stream(file, std::ios::binary);
  stream.seekg(size_bytes - kSealBytes);
  stream.read(end.data(), kSealBytes);
  if (!stream || !end.starts_with(kMark) || end.back() != '\n') return;
  const std::string sealed = end.substr(kMark.size(), 64);
  require(hash_of_first(file, size_bytes - kSealBytes) == sealed, Kind::input,
          "{}: damaged: its bytes do not fit the checksum at its end", file.string());
}

}  // namespace kvcal
