// SPDX-License-Identifier: Apache-2.0
// Numbers in a prediction, for the counting and retrieval tasks of LongBench.
#pragma once

#include <string>
#include <string_view>

namespace kvcal::text {

/// Share of the prediction's digit runs that equal `target` as strings; 0 without any.
double share_of_numbers(std::string_view prediction, std::u32string_view target);

}  // namespace kvcal::text
