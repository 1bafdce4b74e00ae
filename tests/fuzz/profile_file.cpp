// SPDX-License-Identifier: Apache-2.0
// libFuzzer target: whatever the bytes, Profile::load answers with a profile or with Error{input}.
// Known limit: HDF5 1.10 crashes or loops on some damaged text heaps of files without a seal (see
// seal.hpp), which no check of ours can see; findings inside H5HG_* are its, all others are ours.
#include <unistd.h>

#include <fstream>

#include "kvcal/compress/error.hpp"
#include "kvcal/profile/profile.hpp"

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* bytes, size_t size_bytes) {
  const auto file = std::filesystem::temp_directory_path() /
                    fmt::format("kvcal-fuzz-{}.h5", static_cast<long>(getpid()));
  std::ofstream(file, std::ios::binary)
      .write(reinterpret_cast<const char*>(bytes), static_cast<std::streamsize>(size_bytes));
  try {
    kvcal::Profile::load(file);
  } catch (const kvcal::Error& error) {
    if (error.kind() != kvcal::Kind::input) throw;
  }
  return 0;
}
