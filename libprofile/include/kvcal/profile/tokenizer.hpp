// SPDX-License-Identifier: Apache-2.0
// Tokenizer: text <-> ids as described by tokenizer.json, id for id as the `tokenizers` library.
// Not for chat formats (chat_format.hpp).
#pragma once

#include <cstdint>
#include <filesystem>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

namespace kvcal {

class Tokenizer {
 public:
  /// @param path  a model directory or a tokenizer.json
  /// @throws Error{input} missing, malformed, or a part that is not supported (named, with its
  /// place)
  static Tokenizer load(const std::filesystem::path& path);

  ~Tokenizer();
  Tokenizer(Tokenizer&&) noexcept;
  Tokenizer& operator=(Tokenizer&&) noexcept;

  /// @param add_special_tokens  apply the post-processor (BOS and the like); added tokens in the
  /// text
  ///                            are recognised either way
  std::vector<int64_t> encode(std::string_view text, bool add_special_tokens = true) const;

  /// Invalid UTF-8 becomes U+FFFD.
  std::string decode(std::span<const int64_t> ids, bool skip_special_tokens = true) const;

  /// The text of a reply or of a piece of a prompt, as transformers' `decode` gives it: without
  /// special tokens, and without spaces before punctuation where tokenizer_config.json asks for
  /// that.
  std::string decode_text(std::span<const int64_t> ids) const;

  /// `eos_token` of tokenizer_config.json; nothing when a tokenizer.json alone was loaded.
  std::optional<int64_t> eos_id() const;

  /// Bytes of one token as they stand in running text (not yet valid UTF-8 perhaps).
  std::string token_bytes(int64_t id) const;
  std::optional<int64_t> token_id(std::string_view token) const;
  int64_t vocab_size() const;  ///< largest id + 1

 private:
  struct Impl;
  explicit Tokenizer(std::unique_ptr<Impl> impl);
  std::unique_ptr<Impl> impl_;
};

}  // namespace kvcal
