// SPDX-License-Identifier: Apache-2.0
// Numbers in a prediction, for the counting and retrieval tasks of LongBench.
#pragma once

#include <string>
#include <string_view>

namespace kvcal::text {

/// Share of the prediction's digit runs that equal `target` as strings; 0 without any.
double share_of_numbers(std::string_view prediction, std::u32string_view target);

/// The digits behind the first `marker` that has any, e.g. of "Paragraph 12".
/// @throws Error{input} there is none
std::u32string number_behind(std::u32string_view marker, std::string_view reference);

}  // namespace kvcal::text
