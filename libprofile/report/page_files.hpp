// SPDX-License-Identifier: Apache-2.0
// The files of page/, compiled in: a report is made wherever the program runs.
#pragma once

#include <string_view>

namespace kvcal::report {

extern const std::string_view kPageSkeleton, kPageStyle, kPageScript;

}  // namespace kvcal::report
