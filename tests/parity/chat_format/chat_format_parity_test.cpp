// SPDX-License-Identifier: Apache-2.0
// Chat formats against the models' own templates, rendered by make_cases.py.
#include <gtest/gtest.h>

#include <fstream>
#include <nlohmann/json.hpp>

#include "kvcal/profile/chat_format.hpp"
#include "kvcal/profile/resources.hpp"
#include "kvcal/profile/tokenizer.hpp"
#include "support/paths.hpp"

namespace kvcal {
namespace {

nlohmann::json all_cases() {
  nlohmann::json cases =
      nlohmann::json::parse(std::ifstream(test::test_file("parity/chat_format/cases.json")));
  cases.erase("library");
  return cases;
}

TEST(ChatFormatParity, AWrappedMessageIsWhatTheModelsTemplateRenders) {
  const nlohmann::json families = all_cases();
  for (const auto& [name, cases] : families.items()) {
    const auto format = ChatFormat::named(name);
    ASSERT_GE(cases.size(), 5u);
    for (const auto& expected : cases) {
      EXPECT_EQ(format.wrap(expected.at("message").get<std::string>()),
                expected.at("rendered").get<std::string>())
          << name;
    }
  }
}

TEST(ChatFormatParity, EveryFormatOfATemplateHasCases) {
  nlohmann::json cases = all_cases();
  cases["plain"] = "has no template";
  for (const auto& file : std::filesystem::directory_iterator(resource("configs/models"))) {
    EXPECT_TRUE(cases.contains(file.path().stem().string())) << file.path();
  }
}

/// The tokenizer.json of 2024 with what the published one has since: white space prepended to the
/// first piece of text alone, and not after a special token.
std::filesystem::path with_metaspace(const std::filesystem::path& file) {
  nlohmann::json tokenizer = nlohmann::json::parse(std::ifstream(file));
  tokenizer["normalizer"] = nullptr;
  tokenizer["pre_tokenizer"] = {{"type", "Metaspace"},
                                {"replacement", "\u2581"},
                                {"prepend_scheme", "first"},
                                {"split", false}};
  const auto written = test::scratch_dir() / "tokenizer.json";
  std::ofstream(written) << tokenizer;
  return written;
}

TEST(ChatFormatParity, MistralsIdsAreThoseOfItsOwnLibrary) {
  const auto file = test::external_data("tokenizers/mistral_v3.tokenizer.json");
  KVCAL_SKIP_IF_ABSENT(file, "third-party mistral_v3");
  const auto format = ChatFormat::named("mistral_v3");
  const auto tokenizer = Tokenizer::load(with_metaspace(file));
  const nlohmann::json families = all_cases();
  for (const auto& expected : families.at("mistral_v3")) {
    const auto text = format.wrap(expected.at("message").get<std::string>());
    EXPECT_EQ(tokenizer.encode(text, format.adds_special_tokens()),
              expected.at("ids").get<std::vector<int64_t>>())
        << text;
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
