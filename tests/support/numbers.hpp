// SPDX-License-Identifier: Apache-2.0
// Numbers that tests write by name.
#pragma once

#include <limits>

namespace kvcal::test {

inline constexpr float kInfinity = std::numeric_limits<float>::infinity();

}  // namespace kvcal::test
