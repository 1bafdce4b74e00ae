// SPDX-License-Identifier: Apache-2.0
#include "kvcal/profile/chat_format.hpp"

#include <gtest/gtest.h>

#include <fstream>

#include "kvcal/compress/error.hpp"
#include "kvcal/profile/resources.hpp"
#include "support/paths.hpp"

namespace kvcal {
namespace {
namespace fs = std::filesystem;

fs::path write(const fs::path& file, const std::string& text) {
  std::ofstream(file, std::ios::binary) << text;
  return file;
}

ModelConfig model(const std::string& name, const std::string& type) {
  ModelConfig config;
  config.name = name;
  config.model_type = type;
  return config;
}

TEST(ChatFormat, AMessageStandsBetweenPrefixAndSuffixUnchanged) {
  const auto file =
      write(test::scratch_dir() / "a.yaml",
            "name: a\nmatch: {model_type: x}\nprefix: \"<u>\\n\"\nsuffix: |\n  </u>\n  <a>\n");
  const auto format = ChatFormat::load(file);
  EXPECT_EQ(format.wrap("{hi}\n"), "<u>\n{hi}\n</u>\n<a>\n");
  EXPECT_FALSE(format.adds_special_tokens());
}

TEST(ChatFormat, UnknownKeysAreErrorsWithTheirPlace) {
  const auto directory = test::scratch_dir();
  const auto message_of = [&](const std::string& text) -> std::string {
    try {
      ChatFormat::load(write(directory / "a.yaml", text));
    } catch (const Error& error) {
      EXPECT_EQ(error.kind(), Kind::config);
      return error.what();
    }
    return "no error";
  };
  const std::string place = (directory / "a.yaml").string();
  EXPECT_EQ(message_of("name: a\nprefx: b\n"),
            place +
                ":2: unknown key 'prefx', did you mean 'prefix'? (known: name, match, prefix, "
                "suffix, adds_special_tokens, trims_message)");
  EXPECT_EQ(message_of("name: a\nprefix: b\n"), place + ": the key 'suffix' is missing");
  EXPECT_EQ(message_of("match:\n  modeltype: b\n").substr(0, place.size() + 41),
            place + ":2: match has no parameter 'modeltype', d");
  EXPECT_EQ(message_of("name: a\nprefix: b\nsuffix: c\nadds_special_tokens: yes\n"),
            place + ":4: adds_special_tokens = yes, need true or false");
}

TEST(ChatFormat, AModelIsRecognisedByItsTemplateOrItsName) {
  const auto directory = test::scratch_dir();
  EXPECT_EQ(ChatFormat::for_model(directory, model("SmolLM2-135M-Instruct", "llama")).name(),
            "smollm2");
  write(
      directory / "tokenizer_config.json",
      R"({"chat_template": [{"name": "default", "template": "named SmolLM, trained by Hugging Face"}]})");
  EXPECT_EQ(ChatFormat::for_model(directory, model("mine", "llama")).name(), "smollm2");
}

TEST(ChatFormat, AFormatThatTrimsDoesSoAtBothEndsOfAMessageInTwoParts) {
  const auto directory = test::scratch_dir();
  const std::string text = "name: a\nprefix: \"<\"\nsuffix: \">\"\n";
  const auto as_is = ChatFormat::load(write(directory / "a.yaml", text));
  const auto trimming =
      ChatFormat::load(write(directory / "b.yaml", text + "trims_message: true\n"));
  EXPECT_EQ(trimming.wrap("\n\u00A0a b\t"), "<a b>");
  EXPECT_EQ(trimming.wrap(" \n"), "<>");
  EXPECT_EQ(trimming.open(" a ") + trimming.close(" b "), trimming.wrap(" a  b "));
  EXPECT_EQ(as_is.open(" a ") + as_is.close(" b "), "< a  b >");
}

TEST(ChatFormat, ModelsThatShareATypeAreToldApartByTheirTemplates) {
  const auto format_of = [](const char* type, const char* chat_template) {
    const auto directory = test::scratch_dir();
    write(directory / "chat_template.jinja", chat_template);
    return ChatFormat::for_model(directory, model("mine", type)).name();
  };
  EXPECT_EQ(format_of("llama", "<|start_header_id|> Cutting Knowledge Date: "), "llama31");
  EXPECT_EQ(format_of("llama", "<|start_header_id|>"), "llama3");
  EXPECT_EQ(format_of("qwen3", "<|im_start|> enable_thinking is false"), "qwen3");
  EXPECT_EQ(format_of("qwen3", "<|im_start|>"), "qwen3_open");
  EXPECT_EQ(format_of("qwen2", "You are Qwen, created by Alibaba Cloud."), "qwen25");
  EXPECT_EQ(format_of("mistral", "[AVAILABLE_TOOLS] ["), "mistral_v3");
}

TEST(ChatFormat, AModelWithoutTemplateIsAskedPlainly) {
  const auto format = ChatFormat::for_model(test::scratch_dir(), model("tiny", "llama"));
  EXPECT_EQ(format.name(), "plain");
  EXPECT_EQ(format.wrap("text"), "text");
  EXPECT_TRUE(format.adds_special_tokens());
}

TEST(ChatFormat, AForeignTemplateIsRefusedWithTheKnownFormats) {
  const auto directory = test::scratch_dir();
  write(directory / "chat_template.jinja", "{{ messages }}");
  try {
    ChatFormat::for_model(directory, model("tiny", "llama"));
    FAIL();
  } catch (const Error& error) {
    EXPECT_EQ(error.kind(), Kind::config);
    const std::string expected =
        directory.string() +
        ": no chat format fits (model_type llama, its chat template is none of theirs); known: ";
    EXPECT_EQ(std::string(error.what()).substr(0, expected.size()), expected);
  }
}

TEST(ChatFormat, EveryFormatInConfigsLoads) {
  for (const auto& entry : fs::directory_iterator(resource("configs/models"))) {
    EXPECT_EQ(ChatFormat::load(entry.path()).name(), entry.path().stem()) << entry.path();
  }
}

}  // namespace
}  // namespace kvcal
