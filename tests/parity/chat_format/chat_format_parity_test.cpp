// SPDX-License-Identifier: Apache-2.0
// Chat formats against the models' own templates, rendered by make_cases.py.
#include <gtest/gtest.h>

#include <fstream>
#include <nlohmann/json.hpp>

#include "kvcal/profile/chat_format.hpp"
#include "kvcal/profile/resources.hpp"
#include "support/paths.hpp"

namespace kvcal {
namespace {

TEST(ChatFormatParity, AWrappedMessageIsWhatTheModelsTemplateRenders) {
  std::ifstream stream(test::test_file("parity/chat_format/cases.json"));
  nlohmann::json families = nlohmann::json::parse(stream);
  families.erase("library");
  ASSERT_FALSE(families.empty());
  for (const auto& [family, cases] : families.items()) {
    const auto format = ChatFormat::load(resource("configs/models") / (family + ".yaml"));
    ASSERT_GE(cases.size(), 5u);
    for (const auto& expected : cases) {
      EXPECT_EQ(format.wrap(expected.at("message").get<std::string>()),
                expected.at("rendered").get<std::string>());
    }
  }
}

TEST(ChatFormatParity, TheDefaultModelFindsItsFormat) {
  KVCAL_SKIP_IF_ABSENT(test::smollm2(), "the SmolLM2 model");
  ModelConfig config;
  config.name = "any name";
  config.model_type = "llama";
  EXPECT_EQ(ChatFormat::for_model(test::smollm2(), config).name(), "smollm2");
}

}  // namespace
}  // namespace kvcal
