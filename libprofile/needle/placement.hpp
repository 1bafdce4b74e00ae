// SPDX-License-Identifier: Apache-2.0
// Where a needle goes and where its answer is found, on token ids alone (no tokenizer).
#pragma once

#include <cstdint>
#include <span>
#include <string_view>
#include <vector>

#include "kvcal/profile/needle.hpp"

namespace kvcal {

inline constexpr std::string_view kWhitespace = " \t\r\n";

/// CompressKV, insert_needle: floor(count * depth), moved back until the token before it is a
/// period. Depth 1 is after everything.
int64_t compresskv_insertion(std::span<const int64_t> context, double depth,
                             std::span<const int64_t> period_ids);

/// The last of `boundaries` (ascending token positions) that is <= position; 0 if none is.
int64_t boundary_at_or_before(std::span<const int64_t> boundaries, int64_t position);

/// Whether a sentence ends between two tokens, given as bytes in running text: the left one is "."
/// apart from white space, and white space follows ("3" "." "5" is no end).
bool is_sentence_end(std::string_view left, std::string_view right);

/// Whether text that ends in "." ends in a title or an initial ("Mr.", "J."), not in a sentence.
bool ends_in_abbreviation(std::string_view text);

/// First window of prompt positions that equals `answer`; {0, 0} if there is none.
TokenSpan find_exact(std::span<const int64_t> prompt, std::span<const int64_t> answer);

/// First window of |answer| positions whose set of ids covers more than `share` of the answer's
/// set. Windows that the end of the prompt cuts short count, as in the authors' loop.
TokenSpan find_covering(std::span<const int64_t> prompt, std::span<const int64_t> answer,
                        double share);

}  // namespace kvcal
