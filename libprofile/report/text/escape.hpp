// SPDX-License-Identifier: Apache-2.0
// Text from outside (predictions, names of tasks, files, samples) on its way into a page, a plot or
// a table. It may hold anything: markup, control characters, bytes that are no text.
#pragma once

#include <cstddef>
#include <string>
#include <string_view>

namespace kvcal::report {

/// Valid UTF-8 in one line: control characters become spaces; broken bytes and what XML forbids,
/// U+FFFD.
std::string printable(std::string_view text);

/// As HTML text or attribute value; line ends and tabs stay.
std::string escape_html(std::string_view text);

/// As a cell of a Markdown table.
std::string escape_markdown(std::string_view text);

/// printable(), at most `characters` of it; what is cut is shown by an ellipsis.
std::string shorten(std::string_view text, size_t characters);
/// The same for running text: line ends stay.
std::string shorten_lines(std::string_view text, size_t characters);

/// Code points of printable(text), about as wide as they are many.
size_t width_of(std::string_view text);

/// For file names and anchors: a-z, 0-9 and single hyphens; "x" where nothing is left.
std::string slug(std::string_view text);

}  // namespace kvcal::report
