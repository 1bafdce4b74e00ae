// SPDX-License-Identifier: Apache-2.0
// Haystacks as lists of pieces between which lines can be put. On text; contexts at token level are
// in needle.hpp.
#pragma once

#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "ruler/dice.hpp"

namespace kvcal::ruler {

/// Sentences, each with the white space behind it: joined they are the text again.
std::vector<std::string> split_sentences(std::string_view text);

/// Paragraphs without the blank lines between them.
std::vector<std::string> split_paragraphs(std::string_view text);

/// The evaluation essays of data/haystacks as one text that ends in a blank line.
std::string load_essays();

/// The passage that the plain haystack repeats, one a line.
extern const std::string_view kFiller;

/// @param lines      in this order
/// @param positions  ascending; line i comes before piece positions[i], or behind all of them
std::string weave(std::span<const std::string> pieces, std::span<const std::string> lines,
                  std::span<const int64_t> positions);

/// `count` different positions among `pieces` pieces, the end included, in ascending order.
/// @param pieces  count - 1 or more
std::vector<int64_t> draw_positions(Dice& dice, int64_t count, int64_t pieces);

/// RULER's depths: drawn from 40 evenly spaced ones, the start and the end among them.
/// @param count  at most 40
std::vector<int64_t> draw_depths(Dice& dice, int64_t count, int64_t pieces);
inline constexpr int64_t kDepths = 40;

}  // namespace kvcal::ruler
