// SPDX-License-Identifier: Apache-2.0
// SHA-256 of bytes that come in pieces, by OpenSSL. For whole texts and files see provenance.hpp.
#pragma once

#include <cstdint>
#include <filesystem>
#include <limits>
#include <memory>
#include <string>

struct evp_md_ctx_st;  // OpenSSL's EVP_MD_CTX

namespace kvcal {

class Sha256 {
 public:
  Sha256();
  void add(const char* bytes, size_t size_bytes);
  /// The first `most_bytes` of a file.
  /// @throws Error{input} it cannot be read
  void add_file(const std::filesystem::path& file,
                int64_t most_bytes = std::numeric_limits<int64_t>::max());
  std::string hex();  ///< lower case; ends the hash

 private:
  std::unique_ptr<evp_md_ctx_st, void (*)(evp_md_ctx_st*)> context_;
};

}  // namespace kvcal
