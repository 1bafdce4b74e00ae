// SPDX-License-Identifier: Apache-2.0
// LongBench's cut of a prompt that is too long: the middle goes, instructions at both ends stay.
#pragma once

#include <cstdint>
#include <string>

#include "kvcal/profile/tokenizer.hpp"

namespace kvcal {

/// A text of more than max_length tokens (special ones included) becomes the decoded first
/// max_length / 2 tokens and the decoded last max_length / 2, without special tokens; any other
/// stays as it is. The two halves are decoded apart, so a character that is cut in two leaves
/// U+FFFD, and the result need not have max_length tokens.
std::string without_middle(const std::string& text, int64_t max_length, const Tokenizer& tokenizer);

}  // namespace kvcal
