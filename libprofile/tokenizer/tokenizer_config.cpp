// SPDX-License-Identifier: Apache-2.0
#include "tokenizer/tokenizer_config.hpp"

#include "tokenizer/json_part.hpp"

namespace kvcal {
namespace {

/// A string, or an object that describes an added token.
std::optional<std::string> read_token(const JsonPart& root, std::string_view key) {
  if (!root.has(key)) return std::nullopt;
  return root.at(key).value().is_object() ? root.object(key).text("content") : root.text(key);
}

}  // namespace

TokenizerConfig read_tokenizer_config(const std::filesystem::path& directory) {
  TokenizerConfig config;
  const auto file = directory / "tokenizer_config.json";
  if (!std::filesystem::exists(file)) return config;
  const nlohmann::json json = read_json(file);
  const JsonPart root(json, file.string(), "");
  config.eos_token = read_token(root, "eos_token");
  config.cleans_up_spaces = root.flag("clean_up_tokenization_spaces", false);
  return config;
}

std::string without_spaces_before_punctuation(std::string text) {
  static constexpr std::pair<std::string_view, std::string_view> kRules[] = {
      {" .", "."},     {" ?", "?"},   {" !", "!"},   {" ,", ","},     {" ' ", "'"},
      {" n't", "n't"}, {" 'm", "'m"}, {" 's", "'s"}, {" 've", "'ve"}, {" 're", "'re"}};
  for (const auto& [spaced, tight] : kRules) {
    size_t at = text.find(spaced);
    for (; at != std::string::npos; at = text.find(spaced, at + tight.size())) {
      text.replace(at, spaced.size(), tight);
    }
  }
  return text;
}

}  // namespace kvcal
