// SPDX-License-Identifier: Apache-2.0
// PreTokenizer of tokenizer.json: cuts text into the pieces within which merges happen.
#pragma once

#include <deque>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "tokenizer/json_part.hpp"

namespace kvcal {

struct Piece {
  std::string_view text;
  bool is_first;  ///< begins where the whole text begins
};

/// Pieces of one text, and the text of those that were changed.
struct Pieces {
  std::vector<Piece> list;
  std::deque<std::string> changed;
};

class PreTokenizer {
 public:
  class Step {
   public:
    virtual ~Step() = default;
    /// Appends the parts of `piece` to `out`; empty ones are dropped.
    virtual void split(const Piece& piece, Pieces& out) const = 0;
  };

  /// One piece.
  PreTokenizer() = default;
  /// @throws Error{input} unsupported type
  explicit PreTokenizer(const JsonPart& part) { add(part, 0); }

  /// Pieces are bytes: the model's characters are the byte-level alphabet.
  bool is_byte_level() const { return is_byte_level_; }
  /// @param pieces  replaced by their parts
  void apply(Pieces& pieces) const;

 private:
  void add(const JsonPart& part, int depth);
  std::vector<std::unique_ptr<Step>> steps_;
  bool is_byte_level_ = false;
};

}  // namespace kvcal
