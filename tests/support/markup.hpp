// SPDX-License-Identifier: Apache-2.0
// Is a text well-formed markup? Enough of XML and HTML for what our reports write.
#pragma once

#include <string>
#include <string_view>
#include <vector>

namespace kvcal::test {

/// Tags nested and closed, attributes quoted, ids unique, `<`, `&` and control characters only
/// where they may be.
/// @return  the first thing that is wrong, with its surroundings; empty: nothing
std::string markup_error(std::string_view text);

/// The text between tags, entities resolved: what a reader sees.
std::string visible_text(std::string_view markup);

}  // namespace kvcal::test
