// SPDX-License-Identifier: Apache-2.0
// Normalizer of tokenizer.json: NFC, Prepend, Replace, and sequences of them.
#pragma once

#include <string>
#include <string_view>
#include <vector>

#include "tokenizer/json_part.hpp"
#include "tokenizer/regex.hpp"

namespace kvcal {

class Normalizer {
 public:
  /// Changes nothing.
  Normalizer() = default;
  /// @throws Error{input} unsupported type
  explicit Normalizer(const JsonPart& part) { add(part, 0); }

  bool is_identity() const { return steps_.empty(); }
  /// @param text  valid UTF-8
  std::string apply(std::string_view text) const;

 private:
  enum class Action { nfc, prepend, replace };
  struct Step {
    Action action;
    std::string content;
    std::vector<Regex> pattern;  // one for replace
  };

  void add(const JsonPart& part, int depth);
  std::vector<Step> steps_;
};

/// `pattern: {String: ...}` or `{Regex: ...}`
Regex read_pattern(const JsonPart& part);

/// Sequences may lie in sequences, but a file that nests deeper than any real one is damaged.
void require_shallow(const JsonPart& part, int depth);

}  // namespace kvcal
