// SPDX-License-Identifier: Apache-2.0
#include "longbench/middle_truncation.hpp"

#include <span>

namespace kvcal {

std::string without_middle(const std::string& text, int64_t max_length,
                           const Tokenizer& tokenizer) {
  const auto ids = tokenizer.encode(text);
  if (static_cast<int64_t>(ids.size()) <= max_length) return text;
  const auto half = static_cast<size_t>(max_length / 2);
  return tokenizer.decode_text(std::span(ids).first(half)) +
         tokenizer.decode_text(std::span(ids).last(half));
}

}  // namespace kvcal
