// SPDX-License-Identifier: Apache-2.0
// What tokenizer_config.json adds to tokenizer.json, as far as transformers acts on it in decoding.
#pragma once

#include <filesystem>
#include <optional>
#include <string>

namespace kvcal {

struct TokenizerConfig {
  std::optional<std::string> eos_token;
  bool cleans_up_spaces = false;  ///< clean_up_tokenization_spaces
};

/// Defaults when the directory has no such file.
/// @throws Error{input} the file is damaged
TokenizerConfig read_tokenizer_config(const std::filesystem::path& directory);

/// transformers' clean_up_tokenization: no space before punctuation and English contractions.
std::string without_spaces_before_punctuation(std::string text);

}  // namespace kvcal
