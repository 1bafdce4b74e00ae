// SPDX-License-Identifier: Apache-2.0
#include "engine/sentences.hpp"

#include <ATen/ATen.h>

#include <string>
#include <vector>

namespace kvcal {
namespace {

bool ends_with_stop(std::string_view text) {
  while (!text.empty() && std::string_view(" \t\"')]").find(text.back()) != text.npos) {
    text.remove_suffix(1);
  }
  for (const std::string_view stop : {".", "!", "?", "\u3002", "\uff01", "\uff1f"}) {
    if (text.ends_with(stop)) return true;
  }
  return false;
}

/// "3.5" and "e.g" go on.
bool goes_on(std::string_view next) {
  return !next.empty() && std::string_view(" \t\n\r\"')]").find(next.front()) == next.npos;
}

}  // namespace

at::Tensor number_sentences(const Tokenizer& tokenizer, std::span<const int64_t> ids) {
  std::vector<int64_t> numbers;
  int64_t sentence = 0;
  std::string text = ids.empty() ? "" : tokenizer.token_bytes(ids[0]);
  for (size_t i = 0; i < ids.size(); ++i) {
    numbers.push_back(sentence);
    const std::string next = i + 1 < ids.size() ? tokenizer.token_bytes(ids[i + 1]) : "";
    const bool is_end = text.find('\n') != text.npos || (ends_with_stop(text) && !goes_on(next));
    if (is_end) ++sentence;
    text = next;
  }
  return at::tensor(numbers, at::kLong);
}

}  // namespace kvcal
