// SPDX-License-Identifier: Apache-2.0
#include "needle/placement.hpp"

namespace kvcal {

// CompressKV, find_needle_idx: an id set covered by more than this share counts as found. It is
// what finds the authors' third needle, whose answer differs from the text in the case of its first
// word.
constexpr double kCoverShare = 0.9;

TokenSpan find_answer_span(const Tokenizer& tokenizer, const std::vector<int64_t>& prompt,
                           const std::string& answer, Placement placement) {
  const auto bare = tokenizer.encode(answer, false);
  if (placement == Placement::compresskv) return find_covering(prompt, bare, kCoverShare);

  // Inside a sentence the first token of the answer carries the space before it.
  const auto spaced = tokenizer.encode(" " + answer, false);
  for (const auto* ids : {&spaced, &bare}) {
    if (const TokenSpan span = find_exact(prompt, *ids); span.size() > 0) return span;
  }
  const TokenSpan span = find_covering(prompt, spaced, kCoverShare);
  return span.size() > 0 ? span : find_covering(prompt, bare, kCoverShare);
}

}  // namespace kvcal
