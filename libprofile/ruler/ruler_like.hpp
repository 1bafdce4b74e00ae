// SPDX-License-Identifier: Apache-2.0
// RULER-like tasks: prompts of RULER's kinds at any length, made of our own texts and words. One
// kind is a Writer (tasks/ruler_like_*.cpp); how long its prompts become is decided here. For the
// published files see tasks/ruler.cpp.
#pragma once

#include <memory>
#include <string>
#include <vector>

#include "kvcal/profile/task.hpp"
#include "ruler/dice.hpp"

namespace kvcal::ruler {

struct Prompt {
  std::string context, question, answer_prefix;
  std::vector<std::string> references;
};

/// One kind of prompt, of any size.
class Writer {
 public:
  virtual ~Writer() = default;
  /// The smallest haystack that can hold what is asked for.
  virtual int64_t least_size() const = 0;
  /// @param index  of the sample, for those that take turns in something
  /// @param size   units of haystack: sentences, lines, words, documents; a larger one is longer
  virtual Prompt write(Dice& dice, int64_t index, int64_t size) const = 0;
};

/// What all kinds have in common.
struct Sizing {
  int64_t length_tokens = 4096;
  int64_t samples = 50;
  int64_t max_new_tokens = 128;
  bool chat = false;

  template <class Visitor>
  void visit(Visitor& v) {
    v.field("length_tokens", length_tokens, at_least(1),
            "longest prompt and reply together, in tokens");
    v.field("samples", samples, at_least(1), "prompts to make");
    v.field("max_new_tokens", max_new_tokens, at_least(1), "longest reply");
    v.field("chat", chat, any(), "wrap in the model's chat format");
  }
};

/// The haystack grows until prompt and reply pass length_tokens and takes a step back; every sample
/// is made with that size, and shrinks if it alone is too long (RULER's rule).
/// Differs: a step is one unit, and is found by bisection; RULER's steps of up to 500 words leave
/// that much of the length unused.
///
/// @param name  the task's; seeds the draws and stands in messages
/// @throws Error{config} a length that the model does not take, or that holds no prompt
std::unique_ptr<Task> make_task(const TaskContext& context, std::string_view name,
                                const Sizing& sizing, std::string_view metric,
                                std::unique_ptr<Writer> writer);

}  // namespace kvcal::ruler
