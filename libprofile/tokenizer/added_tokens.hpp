// SPDX-License-Identifier: Apache-2.0
// AddedTokens: tokens that are found in the text before anything else happens to it.
#pragma once

#include <array>
#include <cstdint>
#include <string>
#include <string_view>
#include <unordered_map>
#include <unordered_set>
#include <vector>

#include "tokenizer/bpe.hpp"
#include "tokenizer/json_part.hpp"
#include "tokenizer/normalizer.hpp"

namespace kvcal {

struct AddedToken {
  std::string content;
  int32_t id;
  bool is_special, is_normalized, is_single_word, strips_left, strips_right;
};

/// A stretch of text that is one added token, or none.
struct Section {
  std::string_view text;
  int32_t id;  ///< -1: ordinary text
};

class AddedTokens {
 public:
  /// @throws Error{input} malformed entries, or an id that contradicts the vocabulary
  AddedTokens(const JsonPart& root, const IdMap& vocabulary, const Normalizer& normalizer);

  /// Tokens that are looked for in the text as it comes, or in normalized text.
  std::vector<Section> split(std::string_view text, bool is_normalized) const;

  const std::vector<AddedToken>& list() const { return tokens_; }
  bool is_special(const std::string& content) const { return special_.contains(content); }

 private:
  /// Leftmost-longest search for any of several texts.
  class Trie {
   public:
    void add(std::string_view text, size_t token);
    /// Longest pattern at `text[from]`: its bytes (0 if none) and its token.
    std::pair<size_t, size_t> longest(std::string_view text, size_t from) const;
    bool is_empty() const { return nodes_.empty(); }
    bool may_start(char c) const { return starts_[static_cast<unsigned char>(c)]; }

   private:
    static constexpr size_t kNone = static_cast<size_t>(-1);
    struct Node {
      std::unordered_map<char, size_t> next;
      size_t token = kNone;
    };
    std::vector<Node> nodes_;
    std::array<bool, 256> starts_{};
  };

  void check_ids(const JsonPart& root, const IdMap& vocabulary) const;

  std::vector<AddedToken> tokens_;
  std::unordered_set<std::string> special_;
  Trie raw_, normalized_;
};

}  // namespace kvcal
