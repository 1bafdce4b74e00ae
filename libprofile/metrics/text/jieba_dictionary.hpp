// SPDX-License-Identifier: Apache-2.0
// jieba's dictionary: words with their frequencies, searched by prefix.
#pragma once

#include <cstdint>
#include <filesystem>
#include <span>
#include <string>
#include <string_view>
#include <vector>

namespace kvcal::text {

class JiebaDictionary {
 public:
  /// @param file  lines `word frequency tag`
  /// @throws Error{input} unreadable, or a line of another form, with its number
  explicit JiebaDictionary(const std::filesystem::path& file);

  /// Calls `found(length)` for each prefix of `text` that is a word, the shortest first.
  template <class Found>
  void for_each_prefix_word(std::u32string_view text, Found found) const {
    std::span<const Entry> entries = entries_;
    for (size_t length = 1; length <= text.size(); ++length) {
      entries = with_character(entries, length - 1, text[length - 1]);
      if (entries.empty()) return;
      if (entries.front().word.size() == length && entries.front().frequency > 0) found(length);
    }
  }

  /// 0 when it is no word.
  int64_t frequency(std::u32string_view word) const;
  /// Natural logarithm of the share of all words; an unknown one counts as one of them.
  double log_share(std::u32string_view word) const;

 private:
  struct Entry {
    std::u32string word;
    int64_t frequency;
  };

  /// Of entries that agree before `at`, those with `character` there.
  static std::span<const Entry> with_character(std::span<const Entry> entries, size_t at,
                                               char32_t character);

  std::vector<Entry> entries_;  // sorted by word, each word once
  double log_total_ = 0;
};

}  // namespace kvcal::text
