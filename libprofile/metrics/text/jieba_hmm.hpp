// SPDX-License-Identifier: Apache-2.0
// jieba's hidden Markov model, which finds words that the dictionary lacks: each character begins a
// word (B), is inside one (M), ends one (E) or is one (S).
#pragma once

#include <array>
#include <filesystem>
#include <string>
#include <string_view>
#include <unordered_map>
#include <vector>

namespace kvcal::text {

class JiebaHmm {
 public:
  /// @param file  {"start": {state: p}, "trans": {state: {state: p}}, "emit": {state: {char: p}}},
  ///              natural logarithms
  /// @throws Error{input} unreadable, or of another form
  explicit JiebaHmm(const std::filesystem::path& file);

  /// Appends the words of a run of Chinese characters and of what stands between them (letters,
  /// numbers, signs).
  void cut(std::u32string_view run, std::vector<std::u32string>& tokens) const;

 private:
  static constexpr std::string_view kStates = "BEMS";  // alphabetical: ties go to the later one
  using PerState = std::array<double, kStates.size()>;

  void cut_han(std::u32string_view run, std::vector<std::u32string>& tokens) const;
  std::string best_states(std::u32string_view run) const;
  const PerState& emission(char32_t c) const;

  PerState start_;
  std::array<PerState, kStates.size()> transition_;  // [from][to]
  std::unordered_map<char32_t, PerState> emission_;
  PerState unknown_;
};

/// U+4E00 .. U+9FD5, jieba's notion of a Chinese character.
inline bool is_han(char32_t c) {
  return c >= 0x4E00 && c <= 0x9FD5;
}

}  // namespace kvcal::text
