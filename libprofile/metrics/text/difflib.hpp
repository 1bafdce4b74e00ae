// SPDX-License-Identifier: Apache-2.0
// Python's difflib.SequenceMatcher, as far as its ratio.
#pragma once

#include <string_view>

namespace kvcal::text {

/// SequenceMatcher(None, a, b).ratio(): twice the matched characters over all of them.
/// @return  0 .. 1; 1 when both are empty
double difflib_ratio(std::u32string_view a, std::u32string_view b);

}  // namespace kvcal::text
