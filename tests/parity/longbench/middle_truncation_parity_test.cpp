// SPDX-License-Identifier: Apache-2.0
// LongBench's middle truncation against the `tokenizers` library (cases.json, make_cases.py).
#include <gtest/gtest.h>

#include <fstream>
#include <nlohmann/json.hpp>

#include "longbench/middle_truncation.hpp"
#include "support/paths.hpp"

namespace kvcal {
namespace {

/// @return  cases that were compared
int compare(const std::string& name, const Tokenizer& tokenizer) {
  std::ifstream stream(test::test_file("parity/longbench/cases.json"));
  int compared = 0;
  for (const auto& one : nlohmann::json::parse(stream)) {
    if (one.at("tokenizer") != name) continue;
    const auto text = one.at("text").get<std::string>();
    const auto max_length = one.at("max_length").get<int64_t>();
    EXPECT_EQ(without_middle(text, max_length, tokenizer), one.at("cut").get<std::string>())
        << name << ", max_length " << max_length << ": " << text.substr(0, 40);
    ++compared;
  }
  return compared;
}

TEST(LongbenchTruncation, equals_the_tokenizers_library_on_a_small_vocabulary) {
  EXPECT_GT(compare("tiny_llama", Tokenizer::load(test::test_file("parity/model/tiny_llama"))), 50);
}

TEST(LongbenchTruncation, equals_the_tokenizers_library_on_smollm2) {
  const auto model = test::smollm2();
  KVCAL_SKIP_IF_ABSENT(model, "SmolLM2-135M-Instruct");
  EXPECT_GT(compare("smollm2", Tokenizer::load(model)), 50);
}

}  // namespace
}  // namespace kvcal
