// SPDX-License-Identifier: Apache-2.0
// PostProcessor of tokenizer.json: special tokens around a text (TemplateProcessing).
#pragma once

#include <cstdint>
#include <vector>

#include "tokenizer/json_part.hpp"

namespace kvcal {

class PostProcessor {
 public:
  /// Adds nothing.
  PostProcessor() = default;
  /// @throws Error{input} unsupported type, or a special token without ids
  explicit PostProcessor(const JsonPart& part) { add(part, 0); }

  std::vector<int64_t> apply(std::vector<int64_t> ids) const;

 private:
  struct Frame {
    std::vector<int64_t> before, behind;
  };
  void add(const JsonPart& part, int depth);
  std::vector<Frame> frames_;  // innermost first
};

}  // namespace kvcal
