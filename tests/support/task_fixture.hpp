// SPDX-License-Identifier: Apache-2.0
// What tests of tasks have in common: a byte tokenizer, no chat format, a model of 100,000 tokens.
#pragma once

#include <gtest/gtest.h>

#include <filesystem>
#include <fstream>
#include <memory>
#include <string>

#include "kvcal/profile/task.hpp"
#include "support/byte_tokenizer.hpp"
#include "support/errors.hpp"
#include "support/paths.hpp"

namespace kvcal::test {

/// A file of that name in a fresh folder.
inline std::filesystem::path written(const std::string& name, const std::string& text) {
  const std::filesystem::path file = scratch_dir() / name;
  std::ofstream(file, std::ios::binary) << text;
  return file;
}

class TaskFixture : public testing::Test {
 protected:
  std::unique_ptr<Task> open(const std::string& spec, const ParamMap& overrides = {}) const {
    return open_task(spec, context, overrides);
  }
  static ParamMap with(const std::string& name, ParamValue value) {
    return {{name, {std::move(value), "--flag"}}};
  }

  Tokenizer tokenizer = byte_tokenizer();
  ChatFormat chat;
  TaskContext context{tokenizer, chat, 100000, 0};
};

}  // namespace kvcal::test
