// SPDX-License-Identifier: Apache-2.0
// Questions with lettered options, as QuALITY and LongHealth ask them.
#pragma once

#include <string>
#include <vector>

#include "kvcal/compress/params.hpp"
#include "kvcal/profile/task.hpp"

namespace kvcal {

/// How the options are asked for; the YAMLs of configs/tasks have more than one way.
struct ChoiceParams {
  std::string instruction = "Answer with the letter of the right option and nothing else.";
  int64_t max_new_tokens = 16;
  bool chat = true;

  template <class Visitor>
  void visit(Visitor& v) {
    v.field("instruction", instruction, any(), "text after the options");
    v.field("max_new_tokens", max_new_tokens, at_least(1), "longest reply");
    v.field("chat", chat, any(), "wrap in the model's chat format");
  }
};

struct ChoiceQuestion {
  std::string id;
  std::string preamble;  ///< before the question, perhaps empty
  std::string text;
  std::vector<std::string> options;  ///< 2 .. 26
  size_t gold = 0;                   ///< index of the right one
};

/// Everything of the sample but its context and document.
Sample choice_sample(const ChoiceQuestion& question, const ChoiceParams& params);

}  // namespace kvcal
