// SPDX-License-Identifier: Apache-2.0
// Any bytes as a safetensors file: parsed, or refused by Error. Start from a file of 8 bytes of
// length and a header, e.g. tests/parity/model/tiny_qwen2.safetensors.
#include <cstddef>
#include <cstdint>
#include <cstdlib>

#include "../../libprofile/model/safetensors.hpp"
#include "kvcal/compress/error.hpp"

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  try {
    const auto entries =
        kvcal::parse_safetensors({reinterpret_cast<const std::byte*>(data), size}, "fuzz");
    for (const auto& [name, entry] : entries) {
      if (entry.begin_bytes > size || entry.size_bytes > size - entry.begin_bytes) std::abort();
    }
  } catch (const kvcal::Error&) {
  }
  return 0;
}
