// SPDX-License-Identifier: Apache-2.0
// Chinese words as jieba 0.42.1 cuts them (accurate mode with HMM, the defaults), token for token.
// Its dictionary and tables are not ours: `./dev jieba` fetches them.
#pragma once

#include <filesystem>
#include <string>
#include <string_view>
#include <vector>

#include "metrics/text/jieba_dictionary.hpp"
#include "metrics/text/jieba_hmm.hpp"

namespace kvcal::text {

class Jieba {
 public:
  /// @param folder  dict.txt and hmm.json, as data/fetch_jieba.py writes them
  /// @throws Error{input} one of them is missing or damaged
  explicit Jieba(const std::filesystem::path& folder);

  /// That of $KVCAL_JIEBA, else of data/jieba; read once, at the first call.
  /// @throws Error{input} it is not there; says how to fetch it
  static const Jieba& shared();
  static void load_shared() { shared(); }

  /// Tokens in order; together they are the text again.
  std::vector<std::u32string> cut(std::u32string_view text) const;

 private:
  void cut_block(std::u32string_view block, std::vector<std::u32string>& tokens) const;
  void cut_singles(std::u32string_view run, std::vector<std::u32string>& tokens) const;
  std::vector<size_t> best_word_ends(std::u32string_view block) const;

  JiebaDictionary dictionary_;
  JiebaHmm hmm_;
};

}  // namespace kvcal::text
