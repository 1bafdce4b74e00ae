// SPDX-License-Identifier: Apache-2.0
// Regex: a pattern written for Oniguruma (what the tokenizers library uses), run by PCRE2.
// Constructs that the two read differently are translated or refused.
#pragma once

#include <functional>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

namespace kvcal {

/// [begin, end) bytes of the text.
struct Span {
  size_t begin, end;
};

class Regex {
 public:
  /// @param where  place in tokenizer.json, for errors
  /// @throws Error{input} not a pattern, or a construct that is not supported
  static Regex compile(const std::string& pattern, const std::string& where);
  /// Matches exactly this text.
  static Regex literal(std::string text);

  ~Regex();
  Regex(Regex&&) noexcept;
  Regex& operator=(Regex&&) noexcept;

  /// All matches from left to right, appended to `matches`. Safe from several threads.
  /// @param text  valid UTF-8; nothing outside it is seen
  void find_all(std::string_view text, std::vector<Span>& matches) const;

  std::string replace_all(std::string_view text, std::string_view replacement) const;

 private:
  struct Impl;
  explicit Regex(std::unique_ptr<Impl> impl);
  std::unique_ptr<Impl> impl_;
};

}  // namespace kvcal
