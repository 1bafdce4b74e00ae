// SPDX-License-Identifier: Apache-2.0
// The line of a prediction that LongBench's code similarity looks at.
#pragma once

#include <string>
#include <string_view>

namespace kvcal::text {

/// First line without backtick, # or //; empty if there is none.
std::u32string code_line(std::string_view prediction);

/// A ratio as fuzzywuzzy returns it: whole hundredths, half to even.
double fuzzy_ratio(double ratio);

}  // namespace kvcal::text
