// SPDX-License-Identifier: Apache-2.0
// A random Llama of two layers and 1024 positions, with all that reads text for it.
#pragma once

#include <fmt/format.h>
#include <gtest/gtest.h>

#include <cstdint>
#include <filesystem>
#include <string>
#include <vector>

#include "kvcal/profile/engine.hpp"
#include "support/paths.hpp"

namespace kvcal::test {

class TinyModelFixture : public testing::Test {
 protected:
  const std::filesystem::path directory_ = test_file("parity/model/tiny_llama");
  const ModelConfig config_ = read_model_config(directory_);
  const Model model_ = Model::load(directory_, {.dtype = "f32"});
  const Tokenizer tokenizer_ = Tokenizer::load(directory_);
  const ChatFormat chat_ = ChatFormat::load(source_dir() / "configs/models/plain.yaml");
  const PromptReader reader_{model_, tokenizer_, chat_};

  /// A text of so many sentences.
  static std::string boats(int64_t count) {
    std::string text;
    for (int64_t i = 0; i < count; ++i) text += fmt::format("The boat {} left early. ", i);
    return text;
  }

  /// Token ids that differ from their neighbours.
  static std::vector<int64_t> ids(int64_t count) {
    std::vector<int64_t> ids;
    for (int64_t i = 0; i < count; ++i) ids.push_back(5 + i * 7 % 300);
    return ids;
  }
};

}  // namespace kvcal::test
