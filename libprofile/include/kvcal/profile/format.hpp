// SPDX-License-Identifier: Apache-2.0
// Numbers as people read them, alike in tables, pages and logs.
#pragma once

#include <string>

namespace kvcal {

std::string format_bytes(double bytes);                ///< "12.3 MiB"
std::string format_seconds(double seconds);            ///< "12.3 ms", "4.5 s", "7.1 min", "3.2 h"
std::string format_score(double score);                ///< 0..1 as "0.953"; NaN as "-"
std::string format_interval(double low, double high);  ///< "[0.910, 0.990]"; NaN as "-"

}  // namespace kvcal
