// SPDX-License-Identifier: Apache-2.0
#include "store/sha256.hpp"

#include <openssl/evp.h>

#include <algorithm>
#include <cerrno>
#include <cstring>
#include <fstream>
#include <vector>

#include "kvcal/compress/error.hpp"

namespace kvcal {

Sha256::Sha256() : context_(EVP_MD_CTX_new(), EVP_MD_CTX_free) {
  const bool is_ready = context_ && EVP_DigestInit_ex(context_.get(), EVP_sha256(), nullptr) == 1;
  require(is_ready, Kind::internal, "OpenSSL offers no SHA-256");
}

void Sha256::add(const char* bytes, size_t size_bytes) {
  EVP_DigestUpdate(context_.get(), bytes, size_bytes);
}

void Sha256::add_file(const std::filesystem::path& file, int64_t most_bytes) {
  std::ifstream stream(file, std::ios::binary);
  require(stream.is_open() && !std::filesystem::is_directory(file), Kind::input,
          "{}: cannot be read: {}", file.string(),
          stream.is_open() ? "a folder" : std::strerror(errno));
  std::vector<char> buffer(size_t{1} << 20);
  while (stream && most_bytes > 0) {
    stream.read(buffer.data(), std::min<int64_t>(most_bytes, static_cast<int64_t>(buffer.size())));
    add(buffer.data(), static_cast<size_t>(stream.gcount()));
    most_bytes -= stream.gcount();
  }
  require(!stream.bad(), Kind::input, "{}: reading stopped before the end", file.string());
}

std::string Sha256::hex() {
  unsigned char digest[EVP_MAX_MD_SIZE];
  unsigned size_bytes = 0;
  EVP_DigestFinal_ex(context_.get(), digest, &size_bytes);
  std::string text;
  for (unsigned i = 0; i < size_bytes; ++i) text += fmt::format("{:02x}", digest[i]);
  return text;
}

}  // namespace kvcal
