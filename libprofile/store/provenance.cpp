// SPDX-License-Identifier: Apache-2.0
#include "kvcal/profile/provenance.hpp"

#include <openssl/evp.h>

#include <cerrno>
#include <cstring>
#include <fstream>
#include <memory>
#include <vector>

#include "kvcal/compress/error.hpp"

namespace kvcal {
namespace {

class Sha256 {
 public:
  Sha256() : context_(EVP_MD_CTX_new(), EVP_MD_CTX_free) {
    const bool is_ready = context_ && EVP_DigestInit_ex(context_.get(), EVP_sha256(), nullptr) == 1;
    require(is_ready, Kind::internal, "OpenSSL offers no SHA-256");
  }
  void add(const char* bytes, size_t size_bytes) {
    EVP_DigestUpdate(context_.get(), bytes, size_bytes);
  }
  std::string hex() {
    unsigned char digest[EVP_MAX_MD_SIZE];
    unsigned size_bytes = 0;
    EVP_DigestFinal_ex(context_.get(), digest, &size_bytes);
    std::string text;
    for (unsigned i = 0; i < size_bytes; ++i) text += fmt::format("{:02x}", digest[i]);
    return text;
  }

 private:
  std::unique_ptr<EVP_MD_CTX, void (*)(EVP_MD_CTX*)> context_;
};

void add_file(Sha256& hash, const std::filesystem::path& file) {
  std::ifstream stream(file, std::ios::binary);
  require(stream.is_open() && !std::filesystem::is_directory(file), Kind::input,
          "{}: cannot be read: {}", file.string(),
          stream.is_open() ? "a folder" : std::strerror(errno));
  std::vector<char> buffer(size_t{1} << 20);
  while (stream) {
    stream.read(buffer.data(), static_cast<std::streamsize>(buffer.size()));
    hash.add(buffer.data(), static_cast<size_t>(stream.gcount()));
  }
  require(stream.eof(), Kind::input, "{}: reading stopped before the end", file.string());
}

}  // namespace

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
  for (const auto& file : files) add_file(hash, file);
  return hash.hex();
}

std::string sha256_of_file(const std::filesystem::path& file) {
  return sha256_of_files({&file, 1});
}

}  // namespace kvcal
