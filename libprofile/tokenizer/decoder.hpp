// SPDX-License-Identifier: Apache-2.0
// Decoder of tokenizer.json: tokens back to text.
#pragma once

#include <memory>
#include <string>
#include <vector>

#include "tokenizer/json_part.hpp"

namespace kvcal {

class Decoder {
 public:
  class Step {
   public:
    virtual ~Step() = default;
    virtual void apply(std::vector<std::string>& tokens) const = 0;
    /// The bytes that one token stands for inside a text.
    virtual std::string bytes(const std::string& token) const { return token; }
  };

  /// Tokens joined by a space, as the tokenizers library does without a decoder.
  Decoder() = default;
  /// @throws Error{input} unsupported type
  explicit Decoder(const JsonPart& part) { add(part, 0); }

  std::string apply(std::vector<std::string> tokens) const;
  std::string bytes(std::string token) const;

 private:
  void add(const JsonPart& part, int depth);
  std::vector<std::unique_ptr<Step>> steps_;
};

}  // namespace kvcal
