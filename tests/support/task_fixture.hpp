// SPDX-License-Identifier: Apache-2.0
// What tests of tasks have in common: a byte tokenizer, no chat format, a model of 100,000 tokens.
#pragma once

#include <gtest/gtest.h>

#include <memory>
#include <string>

#include "kvcal/profile/task.hpp"
#include "support/byte_tokenizer.hpp"
#include "support/errors.hpp"
#include "support/files.hpp"
#include "support/paths.hpp"

namespace kvcal::test {

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
