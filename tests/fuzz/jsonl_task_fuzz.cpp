// SPDX-License-Identifier: Apache-2.0
// Any bytes as a `jsonl:` dataset: a task or one kvcal::Error, nothing else.
#include <fmt/format.h>

#include <cstdint>
#include <filesystem>
#include <fstream>

#include "kvcal/compress/error.hpp"
#include "kvcal/profile/task.hpp"
#include "support/byte_tokenizer.hpp"
#include "support/paths.hpp"

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  using namespace kvcal;
  static const Tokenizer tokenizer = test::byte_tokenizer();
  static const ChatFormat chat;
  static const std::filesystem::path file = test::scratch_dir() / "fuzz.jsonl";
  std::ofstream(file, std::ios::binary)
      .write(reinterpret_cast<const char*>(data), static_cast<std::streamsize>(size));
  try {
    const auto task = open_task("jsonl:" + file.string(), {tokenizer, chat, 1024});
    for (int64_t i = 0; i < task->size(); ++i) task->sample(i);
  } catch (const Error& error) {
    if (error.kind() != Kind::input) throw;
  }
  return 0;
}
