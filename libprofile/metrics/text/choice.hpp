// SPDX-License-Identifier: Apache-2.0
// The letter that a reply to a multiple-choice question settles on.
#pragma once

#include <cstdint>
#include <optional>
#include <string_view>

namespace kvcal::text {

/// @param options  how many letters are valid, 1 .. 26
/// @return  1 = A; nothing when the reply names no valid letter
std::optional<int64_t> parse_choice(std::string_view reply, int64_t options);

}  // namespace kvcal::text
